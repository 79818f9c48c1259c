"""What tests of the whole interface have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accounts import face, face_sign_in
from accounts.face_pictures import Taken
from proctoring import embedded
from proctoring.tests.permission_rows.faces import PORTRAIT


@pytest.fixture
def nobody_waits(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer at once what waits for workers, of which there are none here, and look ready all the same."""
    settings.END_WAIT_S = settings.FRAME_WAIT_S = 0
    settings.FRAME_SPOOL = tmp_path / "spool"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.EMBEDDED_WORKER = True
    monkeypatch.setattr(embedded, "running", lambda: True)


@pytest.fixture
def all_faces_are_one(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """See the same face in every picture, without models: who may call is asked here, not who is known again."""
    settings.FACE_SINGLE_PICTURE_LOGIN = True
    for module in (face, face_sign_in):
        monkeypatch.setattr(module, "require_faces", lambda: None)
    taken = Taken(PORTRAIT, np.zeros((480, 640, 3), np.uint8))
    monkeypatch.setattr(face, "take_pictures", lambda pictures, check: [taken for _each in pictures])
    monkeypatch.setattr(face_sign_in, "portray_pictures", lambda pictures, check: [PORTRAIT for _each in pictures])
