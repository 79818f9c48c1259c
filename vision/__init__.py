"""Perception: pictures in, facts out. Knows nothing of Django, databases or clocks."""
