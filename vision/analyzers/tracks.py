"""Which face is which from one picture to the next: a number and a confidence for each, as long as it stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vision.types import Box, Face, Memory, overlap

LEFT_S = 5.0
"""Who was not seen for so long has left; who comes then is somebody new, until a face is compared with another."""
LEAST_OVERLAP = 0.2
NEAR_WIDTHS = 1.0
RESIZED = 1.8
NEWEST_SHARE = 0.2
MOST = 8
"""So many faces are followed, the largest; of a crowd nobody asks who is who."""


def analyze(faces: tuple[Face, ...], at: float, memory: Memory) -> tuple[tuple[Face, ...], Memory]:
    """Return the faces with their tracks, ``at`` in seconds; numbers count up from 1 and are not used again.

    Pairs are made greedily, nearest first (as in SORT, Bewley et al. 2016, without its motion model: a second is too
    long to foretell how a head moves).
    """
    known = memory.get("tracks") or {"next": 1, "seen": []}
    seen = [one for one in known["seen"] if 0 <= at - one["at"] <= LEFT_S]
    pairs = _pairs(faces[:MOST], seen)
    number, followed, found = known["next"], [], list(faces)
    for place, face in enumerate(faces[:MOST]):
        before = seen[pairs[place]] if place in pairs else None
        track, score = (number, face.score) if before is None else (before["track"], before["score"])
        number += before is None
        score = round(score + NEWEST_SHARE * (face.score - score), 3)
        found[place] = replace(face, track=track, track_score=score)
        box = [round(value, 3) for value in face.box]
        followed.append({"track": track, "at": round(at, 2), "box": box, "score": score})
    lost = [one for place, one in enumerate(seen) if place not in pairs.values()]
    kept = [*followed, *lost][:MOST]
    return tuple(found), {**memory, "tracks": {"next": number, "seen": kept}}


def _pairs(faces: tuple[Face, ...], seen: list[dict[str, Any]]) -> dict[int, int]:
    """Return the places of faces that were seen before, each with the place of its track."""
    costs = sorted(
        (cost, face, track)
        for face, one in enumerate(faces)
        for track, other in enumerate(seen)
        if (cost := _apart(one.box, other["box"])) is not None
    )
    pairs: dict[int, int] = {}
    for _cost, face, track in costs:
        if face not in pairs and track not in pairs.values():
            pairs[face] = track
    return pairs


def _apart(box: Box, other: Box) -> float | None:
    """Return how many widths the boxes' middles are apart, or None where they cannot be one face."""
    larger, smaller = max(box[2], other[2], 1e-6), max(min(box[2], other[2]), 1e-6)
    apart = max(abs(box[at] + box[at + 2] / 2 - other[at] - other[at + 2] / 2) for at in (0, 1)) / larger
    is_near = apart <= NEAR_WIDTHS or overlap(box, other)[0] >= LEAST_OVERLAP
    return apart if is_near and larger <= RESIZED * smaller else None
