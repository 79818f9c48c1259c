"""Cameras that are programs, by the names that they give themselves; pure.

A program may show recordings as if they were live. Phones and cameras used through a program of their own, and filters
of a computer's maker, show what is really there and are no offence. Who renames a virtual camera is not found by its
name, but by what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAMES = (
    "OBS Virtual Camera",
    "OBS-Camera",
    "OBS Camera",
    "Streamlabs Desktop Virtual Webcam",
    "Streamlabs OBS Virtual Webcam",
    "ManyCam",
    "XSplit VCam",
    "XSplitBroadcaster",
    "Snap Camera",
    "SplitCam",
    "e2eSoft VCam",
    "VCam",
    "Webcamoid",
    "AkVCam",
    "Unity Video Capture",
    "CamTwist",
    "mmhmm",
    "YouCam",
    "WebcamMax",
    "FakeWebcam",
    "AlterCam",
    "ChromaCam",
    "Magic Camera",
    "v4l2loopback",
    "Dummy video device",
    "Virtual Camera",
    "Virtual Webcam",
)
HARMLESS = (
    "DroidCam",
    "EpocCam",
    "Iriun Webcam",
    "Camo",
    "EOS Webcam Utility",
    "Logi Capture",
    "NVIDIA Broadcast",
    "Windows Virtual Camera",
    "Lenovo Virtual Camera",
)
"""Named like virtual cameras, or made by programs, and yet live."""

REPORTING = frozenset({"CAMERA_ON", "DEVICE_CHANGE"})
"""Events of the candidate's side that tell which camera is used."""
TOLD_AS = ("label", "camera", "camera_label", "device")
LONGEST_NAME = 200


def _any_of(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(" + "|".join(re.escape(name.casefold()) for name in names) + r")(?!\w)")


_KNOWN, _SPARED = _any_of(NAMES), _any_of(HARMLESS)


def is_virtual(name: str) -> bool:
    """Say whether a camera of this name is a program; case and extra spaces do not matter."""
    plain = " ".join(name[:LONGEST_NAME].casefold().split())
    return bool(_KNOWN.search(plain)) and not _SPARED.search(plain)


def virtual_camera_in(event_type: str, detail: Mapping[str, Any]) -> str | None:
    """Return the name of the virtual camera that a report says is used, if any."""
    if event_type not in REPORTING:
        return None
    names = (detail.get(key) for key in TOLD_AS)
    return next((name[:LONGEST_NAME] for name in names if isinstance(name, str) and is_virtual(name)), None)
