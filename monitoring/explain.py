"""Plain sentences for each activity: what was seen, how often, for how long; in the language of whoever reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from exams.kinds import Kind
from monitoring.models import SuspiciousActivity

STORED_LANGUAGE = "en"


def explain(kind: str, detail: Mapping[str, Any], *, positives: int, examined: int, duration_s: float | None) -> str:
    """Return the sentences in English, as they are stored; ``duration_s`` None means that the activity still lasts."""
    with override(STORED_LANGUAGE):
        return _explain(kind, detail, positives, examined, duration_s)


def explanation_of(activity: SuspiciousActivity) -> str:
    """Return the sentences in the reader's language, or the stored ones where the numbers behind them are missing."""
    detail = activity.detail if isinstance(activity.detail, dict) else {}
    positives, examined = _whole(detail.get("positives")), _whole(detail.get("examined"))
    if positives is None or examined is None:
        return activity.explanation
    ended_at = activity.ended_at
    duration_s = None if ended_at is None else (ended_at - activity.started_at).total_seconds()
    return _explain(activity.kind, detail, positives, examined, duration_s)


def duration_text(seconds: float) -> str:
    """Return a duration in words: ``4.5 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < 10 and seconds != int(seconds):
        return _("%(seconds).1f s") % {"seconds": seconds}
    whole = int(seconds + 0.5)
    if whole < 60:
        return _("%(seconds)d s") % {"seconds": whole}
    if whole < 3600:
        return _("%(minutes)d min %(seconds)02d s") % {"minutes": whole // 60, "seconds": whole % 60}
    return _("%(hours)d h %(minutes)02d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}


def _explain(kind: str, detail: Mapping[str, Any], positives: int, examined: int, duration_s: float | None) -> str:
    what = _what(kind, detail)
    if examined <= 1:
        return what
    numbers: dict[str, Any] = {"positives": positives, "examined": examined}
    if duration_s is None:
        return f"{what} {_SO_FAR[_counted_in(kind)] % numbers}"
    over = _OVER[_counted_in(kind)] % (numbers | {"duration": duration_text(duration_s)})
    return " ".join(filter(None, (what, over, _who_spoke(kind, detail))))


def _who_spoke(kind: str, detail: Mapping[str, Any]) -> str:
    """Say what the other of sound and pictures tells, see ``monitoring.speaking``."""
    if kind == Kind.MOUTH_MOVING:
        return str(_SPEECH_MEANWHILE.get(str(detail.get("speech")), ""))
    pictures = _whole(detail.get("mouth_pictures"))
    if kind not in _VOICES or pictures is None:
        return ""
    return str(_MOUTH_MEANWHILE.get(str(detail.get("mouth")), "")) % {"count": pictures}


def _counted_in(kind: str) -> str:
    if kind in _HEARD:
        return "heard"
    return "all" if kind in _NOTHING_TO_SEE else "examined"


def _what(kind: str, detail: Mapping[str, Any]) -> str:
    # What was told from outside may hold anything, so numbers are used only where they are numbers.
    if kind in _BY_DETAIL:
        return _BY_DETAIL[kind](detail)
    faces, persons = _whole(detail.get("faces")), _whole(detail.get("persons"))
    if kind == Kind.MULTIPLE_FACES and faces is not None:
        return _("%(count)d faces were in the picture.") % {"count": faces}
    if kind == Kind.EXTRA_PERSON and persons is not None:
        return _("%(count)d people were in the picture.") % {"count": persons}
    if kind in _WHAT:
        return str(_WHAT[kind])
    if kind in Kind.values:
        return _("This was reported: %(what)s.") % {"what": Kind(kind).label}
    return _("“%(kind)s” was reported.") % {"kind": kind}


def _away(detail: Mapping[str, Any]) -> str:
    direction, degrees = _DIRECTIONS.get(str(detail.get("direction"))), _whole(detail.get("degrees"))
    if direction is None or degrees is None:
        return _("The head or the eyes were turned away.")
    numbers = {"direction": direction, "degrees": degrees}
    if detail.get("by") == "head":
        return _("The head was turned %(direction)s, by %(degrees)d° at its clearest.") % numbers
    return _("The eyes looked %(direction)s, by %(degrees)d° together with the head at its clearest.") % numbers


def _nobody(detail: Mapping[str, Any]) -> str:
    if _whole(detail.get("pictures")):
        return _("No person could be seen: a face in view never changed, as that of a picture on the wall.")
    return _("No face and no person could be seen.")


def _glances(detail: Mapping[str, Any]) -> str:
    looks, direction = _whole(detail.get("looks")), _DIRECTIONS.get(str(detail.get("direction")))
    if looks is None or direction is None:
        return _("The eyes went again and again to one place beside the screen, for a moment each time.")
    numbers = {"looks": looks, "direction": direction}
    return _("Within a short time the eyes went %(looks)d times to one place %(direction)s, and back.") % numbers


def _not_live(detail: Mapping[str, Any]) -> str:
    by = str(detail.get("by"))
    if by == "camera_name" and detail.get("camera"):
        return _("The camera “%(camera)s” is a program that can show recordings.") % {"camera": detail["camera"]}
    numbers = {"seconds": _whole(detail.get("seconds")), "pictures": _whole(detail.get("pictures"))}
    if by == "frozen" and numbers["seconds"] is not None:
        return _("Nothing at all moved in the picture for more than %(seconds)d s, as if it were a photo.") % numbers
    if by == "loop" and numbers["pictures"] is not None:
        return _("%(pictures)d pictures came back as they had been before, as in a recording that repeats.") % numbers
    return str(_NOT_LIVE.get(by, _NOT_LIVE["other"]))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_BY_DETAIL: dict[str, Callable[[Mapping[str, Any]], str]] = {
    Kind.NO_FACE: _nobody,
    Kind.LOOKING_AWAY: _away,
    Kind.LOOKING_DOWN: _away,
    Kind.EYE_MOVEMENT: _glances,
    Kind.SPOOF_SUSPECTED: _not_live,
}
_NOTHING_TO_SEE = frozenset({Kind.CAMERA_BLOCKED, Kind.POOR_LIGHT, Kind.CAMERA_BLURRED})
_HEARD = frozenset({Kind.LOUD_NOISE, Kind.MIC_SILENT, Kind.SPEECH, Kind.BACKGROUND_VOICE, Kind.MULTIPLE_VOICES})
_VOICES = frozenset({Kind.SPEECH, Kind.BACKGROUND_VOICE, Kind.MULTIPLE_VOICES})
_MOUTH_MEANWHILE: dict[str, Any] = {
    "moved": gettext_lazy("The candidate's mouth moved in %(count)d pictures of that time: it may have been theirs."),
    "still": gettext_lazy(
        "The candidate's mouth did not move in %(count)d pictures of that time: it may have been somebody else's."
    ),
}
_SPEECH_MEANWHILE: dict[str, Any] = {
    "heard": gettext_lazy("Speech was heard meanwhile: it may have been theirs."),
    "none": gettext_lazy("No speech was heard meanwhile: it may have been chewing, yawning or whispering."),
}
_SO_FAR: dict[str, Any] = {
    "examined": gettext_lazy("So far this was so in %(positives)d of %(examined)d pictures examined."),
    "all": gettext_lazy("So far this was so in %(positives)d of %(examined)d pictures."),
    "heard": gettext_lazy("So far this was so in %(positives)d of %(examined)d seconds of sound."),
}
_OVER: dict[str, Any] = {
    "examined": gettext_lazy("This was so in %(positives)d of %(examined)d pictures examined, over %(duration)s."),
    "all": gettext_lazy("This was so in %(positives)d of %(examined)d pictures, over %(duration)s."),
    "heard": gettext_lazy("This was so in %(positives)d of %(examined)d seconds of sound, over %(duration)s."),
}
# Cameras do not mirror: what lies to the left of the picture lies to the candidate's right.
_DIRECTIONS: dict[str, Any] = {
    "left": gettext_lazy("to the left of the picture"),
    "right": gettext_lazy("to the right of the picture"),
    "up": gettext_lazy("up"),
    "down": gettext_lazy("down"),
}
_NOT_LIVE: dict[str, Any] = {
    "print": gettext_lazy("Several looks took the face for a print, or for a picture on a screen."),
    "other": gettext_lazy("The picture seemed to be no live picture of a person."),
}
_WHAT: dict[str, Any] = {
    Kind.MULTIPLE_FACES: gettext_lazy("Several faces were in the picture."),
    Kind.EXTRA_PERSON: gettext_lazy("Several people were in the picture."),
    Kind.EYES_CLOSED: gettext_lazy("Both eyes were closed."),
    Kind.MOUTH_MOVING: gettext_lazy("The mouth opened and closed again and again, as in talking."),
    Kind.FACE_PARTLY_HIDDEN: gettext_lazy("The edge of the picture cut through the face."),
    Kind.HAND_GESTURE: gettext_lazy("A hand was held up or moved, as in making signs."),
    Kind.HAND_AT_EAR: gettext_lazy("A closed hand was held at the ear, as with a phone."),
    Kind.HAND_OVER_MOUTH: gettext_lazy("A hand covered the mouth."),
    Kind.PHONE: gettext_lazy("Something that looks like a phone was in the picture."),
    Kind.BOOK: gettext_lazy("Something that looks like a book was in the picture."),
    Kind.LAPTOP: gettext_lazy("Something that looks like another computer was in the picture."),
    Kind.IDENTITY_MISMATCH: gettext_lazy("The face did not look like the one that the candidate enrolled."),
    Kind.IDENTITY_UNSURE: gettext_lazy("It could not be said whether the face is the one that the candidate enrolled."),
    Kind.CAMERA_BLOCKED: gettext_lazy("The camera seemed to be covered, so nothing could be examined."),
    Kind.POOR_LIGHT: gettext_lazy("It was too dark to examine the picture."),
    Kind.CAMERA_BLURRED: gettext_lazy("The picture was too blurred to be examined."),
    Kind.CAMERA_SILENT: gettext_lazy("The candidate's side was connected, but no picture came from the camera."),
    Kind.LOUD_NOISE: gettext_lazy("Something was loud that was no speech."),
    Kind.MIC_SILENT: gettext_lazy("The microphone sent nothing but silence, as one does that is muted."),
    Kind.SPEECH: gettext_lazy("Somebody spoke."),
    Kind.BACKGROUND_VOICE: gettext_lazy("A voice was heard that is not the candidate's."),
    Kind.MULTIPLE_VOICES: gettext_lazy("Several different voices were heard within a minute."),
    Kind.TAB_SWITCH: gettext_lazy("The browser reported that the exam's tab was left."),
    Kind.NETWORK_GAP: gettext_lazy("The connection was lost; pictures of this time were examined if they came later."),
    Kind.RECORDING_GAP: gettext_lazy("A part of the recording could not be read; nothing could be examined."),
    Kind.INVALID_IMAGE: gettext_lazy("A picture could not be read."),
    Kind.NO_FRAME_RECEIVED: gettext_lazy("No picture arrived."),
}
