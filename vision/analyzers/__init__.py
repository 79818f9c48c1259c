"""The senses: each module has an ``analyze`` that takes a frame and what is remembered, and hands back facts."""
