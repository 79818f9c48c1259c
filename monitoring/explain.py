"""One plain sentence for each activity: what was seen, how often, for how long."""

from collections.abc import Callable, Mapping
from typing import Any

from exams.kinds import Kind


def explain(kind: str, detail: Mapping[str, Any], *, positives: int, examined: int, duration_s: float | None) -> str:
    """Return the sentence; ``duration_s`` None means that the activity still lasts."""
    what = _WHAT[kind](detail) if kind in _WHAT else f"“{kind}” was reported"
    if examined <= 1:
        return f"{what}."
    span = "so far" if duration_s is None else f"over {_duration(duration_s)}"
    pictures = "pictures" if kind in _NOTHING_TO_SEE else "pictures examined"
    return f"{what}, in {positives} of {examined} {pictures} {span}."


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 2 else f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def _away(facts: Mapping[str, Any]) -> str:
    # Cameras do not mirror: what lies to the left of the picture lies to the candidate's right.
    direction = facts["direction"]
    where = f"to the {direction} of the picture" if direction in ("left", "right") else direction
    if facts.get("by") == "head":
        return f"The head was turned {where}, by {facts['degrees']}° at its clearest"
    return f"The eyes looked {where}, by {facts['degrees']}° together with the head at its clearest"


_NOTHING_TO_SEE = frozenset({Kind.CAMERA_BLOCKED, Kind.POOR_LIGHT, Kind.CAMERA_BLURRED})
_WHAT: dict[str, Callable[[Mapping[str, Any]], str]] = {
    Kind.NO_FACE: lambda facts: "No face and no person could be seen",
    Kind.MULTIPLE_FACES: lambda facts: f"{facts.get('faces', 'Several')} faces were in the picture",
    Kind.EXTRA_PERSON: lambda facts: f"{facts.get('persons', 'Several')} people were in the picture",
    Kind.LOOKING_AWAY: _away,
    Kind.PHONE: lambda facts: "Something that looks like a phone was in the picture",
    Kind.BOOK: lambda facts: "Something that looks like a book was in the picture",
    Kind.LAPTOP: lambda facts: "Something that looks like another computer was in the picture",
    Kind.CAMERA_BLOCKED: lambda facts: "The camera seemed to be covered, so nothing could be examined",
    Kind.POOR_LIGHT: lambda facts: "It was too dark to examine the picture",
    Kind.CAMERA_BLURRED: lambda facts: "The picture was too blurred to be examined",
    Kind.TAB_SWITCH: lambda facts: "The browser reported that the exam's tab was left",
    Kind.NETWORK_GAP: lambda facts: "The connection was lost; nothing could be examined",
    Kind.RECORDING_GAP: lambda facts: "A part of the recording could not be read; nothing could be examined",
    Kind.INVALID_IMAGE: lambda facts: "A picture could not be read",
    Kind.NO_FRAME_RECEIVED: lambda facts: "No picture arrived",
}
