"""Pictures of whoever sat a recorded exam: looked at once, compared with while it is replayed, and kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from django.conf import settings

from accounts.face import MOST_PICTURES
from accounts.face_pictures import WIDTH, advice
from vision.analyzers import identity
from vision.analyzers.identity import Portrait, UnfitPicture
from vision.decoding import PictureError, decode_picture, downscale
from vision.loading import identity_availability, models


class UnfitFile(ValueError):
    """A picture, or a set of them, that nobody can be enrolled with; the message is one sentence."""


def face_in_files(paths: Sequence[Path]) -> tuple[float, ...]:
    """Return the (128,) embedding of the one person whom one to five pictures show; raises ``UnfitFile``.

    Each must show one clear face from the front, as for an enrolment that is kept.
    """
    available = identity_availability()
    if not available.available:
        raise UnfitFile(f"Faces cannot be told apart here. {available.reason}")
    if len(paths) > MOST_PICTURES:
        raise UnfitFile(f"At most {MOST_PICTURES} pictures can be enrolled.")
    portraits = [_portrait_in(path) for path in paths]
    for (path, one), (other_path, other) in combinations(zip(paths, portraits, strict=True), 2):
        if identity.distance(one.embedding, other.embedding) > settings.FACE_MAX_DISTANCE:
            raise UnfitFile(f"{path} and {other_path} do not show the same person.")
    return tuple(identity.mean_of([portrait.embedding for portrait in portraits]).tolist())


def _portrait_in(path: Path) -> Portrait:
    try:
        portrait = identity.portray(downscale(decode_picture(path.read_bytes()), WIDTH), models())
        identity.require_frontal(portrait)
    except OSError as error:
        raise UnfitFile(f"{path} cannot be read: {error.strerror}.") from error
    except PictureError as error:
        raise UnfitFile(f"{path}: {error}") from error
    except UnfitPicture as unfit:
        raise UnfitFile(f"{path}: {advice(unfit.flaw)}") from unfit
    return portrait
