"""What people said about media: a folder with ``labels.jsonl``, one JSON object a line.

``file`` (relative to the folder) and ``kind`` (image, video, audio) are needed; ``labels`` is a table of what is known,
where anything that is missing is unknown, not false; ``conditions`` is a list of words such as glasses or dark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FILE = "labels.jsonl"
Media = Literal["image", "video", "audio"]
MEDIA: tuple[Media, ...] = ("image", "video", "audio")


class LabelError(ValueError):
    """Labels that cannot be used; the message names the line and says what to mend."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled file; ``name`` is its path within the folder."""

    name: str
    path: Path
    media: Media
    labels: Mapping[str, Any] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()


def read_samples(folder: Path) -> list[Sample]:
    """Return the labelled files of a folder in the order of their lines; raises ``LabelError``."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path} cannot be read: {error}.") from error
    samples = [_sample(folder, line, number) for number, line in enumerate(lines, 1) if line.strip()]
    if not samples:
        raise LabelError(f"{path} has no lines.")
    return samples


def _sample(folder: Path, line: str, number: int) -> Sample:
    where = f"{FILE}, line {number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{where} is no JSON: {error}.") from error
    if not isinstance(row, dict):
        raise LabelError(f"{where} must be a table of names and values.")
    name, media = row.get("file"), row.get("kind")
    labels, conditions = row.get("labels", {}), row.get("conditions", [])
    if media not in MEDIA:
        raise LabelError(f"{where}: kind must be one of {', '.join(MEDIA)}.")
    if not isinstance(labels, dict) or not isinstance(conditions, list):
        raise LabelError(f"{where}: labels must be a table, and conditions a list.")
    return Sample(str(name), _within(folder, name, where), media, labels, frozenset(map(str, conditions)))


def _within(folder: Path, name: object, where: str) -> Path:
    if not isinstance(name, str) or not name:
        raise LabelError(f"{where}: file must be a path within the folder.")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise LabelError(f"{where}: {name} lies outside the folder.")
    if not path.is_file():
        raise LabelError(f"{where}: there is no file {name}.")
    return path
