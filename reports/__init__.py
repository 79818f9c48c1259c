"""The written report of a session."""
