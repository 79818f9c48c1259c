"""How good the senses are: labelled media go through them, and a card says what came out."""
