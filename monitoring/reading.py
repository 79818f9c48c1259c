"""How long a reviewer reads, roughly: the queue is ordered by it, and the dashboard adds it up."""

MINUTES_PER_SESSION, MINUTES_PER_ACTIVITY = 1.0, 0.5
"""For the page and the outcome; and for each activity, to look at its picture or hear its sound and write a reason."""


def minutes_to_read(*, sessions: int, activities: int) -> float:
    """Return the minutes for so many sessions with so many activities in all."""
    return MINUTES_PER_SESSION * sessions + MINUTES_PER_ACTIVITY * activities
