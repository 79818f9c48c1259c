"""What the scripts of the live wall say; what the page itself says stands in its template."""

from __future__ import annotations

from django.utils.translation import gettext as _

from exams.kinds import RiskLevel
from exams.models import SessionStatus


def wall_texts() -> dict[str, str]:
    """Return every sentence by the name that the scripts know it by, in the reader's language.

    ``%(name)s`` is filled in by the scripts.
    """
    return _tiles() | _line() | _order() | _actions() | _words()


def _words() -> dict[str, str]:
    """Return the names of levels and states, which the rows tell as keys."""
    return {
        **{f"level_{level.value}": str(level.label) for level in RiskLevel},
        **{f"status_{status.value}": str(status.label) for status in SessionStatus},
    }


def _tiles() -> dict[str, str]:
    return {
        "connected": _("Connected"),
        "away": _("Not connected"),
        "away_since": _("Not connected for %(time)s"),
        "never_seen": _("Never connected"),
        "nobody": _("Nobody in the picture"),
        "one_person": _("1 person"),
        "people": _("%(count)s people"),
        "people_unknown": _("Not examined"),
        "sound": _("Sound level %(level)s dB"),
        "no_sound": _("No sound level"),
        "no_picture": _("No picture"),
        "old_picture": _("%(time)s old"),
        "picture_of": _("Last picture of %(name)s"),
        "nothing_found": _("Nothing found"),
        "going_on": _("going on"),
        "ago": _("%(time)s ago"),
        "seconds": _("%(count)s s"),
        "minutes": _("%(count)s min"),
        "hours": _("%(count)s h"),
        "actions_for": _("Actions for %(name)s"),
        "over": _("Over"),
        "time_left": _("%(time)s left"),
        "time_up": _("Time is up"),
    }


def _line() -> dict[str, str]:
    return {
        "line_connecting": _("Connecting…"),
        "line_live": _("Live"),
        "line_polling": _(
            "The live connection is lost. The wall asks again every few seconds and reconnects by itself."
        ),
        "line_lost": _("The server cannot be reached."),
        "line_age": _("What you see is %(time)s old."),
        "line_refused": _("You are signed out, or this exam is no longer yours to watch. Load the page again."),
    }


def _order() -> dict[str, str]:
    return {
        "shown": _("%(shown)s of %(all)s sessions"),
        "hidden_quiet": _("%(count)s hidden"),
        "reorder": _("Sort again: %(count)s would move"),
        "none_match": _("No session matches these filters."),
        "none_open": _("Nobody sits this exam right now. Sessions appear here as soon as they are opened."),
        "all_quiet": _("All sessions are quiet."),
        "turned_high": _("%(name)s turned High."),
    }


def _actions() -> dict[str, str]:
    return {
        "pause": _("Pause"),
        "resume": _("Resume"),
        "message": _("Send a message"),
        "extend": _("Extend time"),
        "terminate": _("Terminate"),
        "pause_title": _("Pause the session of %(name)s"),
        "resume_title": _("Resume the session of %(name)s"),
        "message_title": _("Message to %(name)s"),
        "extend_title": _("More time for %(name)s"),
        "terminate_title": _("Terminate the session of %(name)s"),
        "pause_says": _("The clock stops and nothing is examined until you resume."),
        "resume_says": _("The clock runs again and the session is examined again."),
        "message_says": _("It appears on the candidate's page at once and stays in the session's log."),
        "extend_says": _("The candidate is told at once."),
        "terminate_says": _(
            "This ends the exam for the candidate at once and cannot be taken back. They read the reason."
        ),
        "done_pause": _("The session of %(name)s is paused."),
        "done_resume": _("The session of %(name)s goes on."),
        "done_message": _("The message to %(name)s was sent."),
        "done_extend": _("%(name)s has more time."),
        "done_terminate": _("The session of %(name)s was terminated."),
        "failed": _("That did not work: %(detail)s"),
        "unreachable": _("the server cannot be reached."),
    }
