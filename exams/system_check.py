"""The system check before an exam: what the candidate's own computer measured, judged in words.

Numbers come from the candidate's browser, and where it sends pictures from the server's own look at them. They are
advice, so that nobody sits an hour in front of a dead camera, and no proof of anything: what counts is what the server
sees once the exam has begun. Only what no human would let pass bars the way: no camera, no microphone. What a model
sees or misses in a picture does not, since a model may be wrong about somebody every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.check_pictures import POSES
from exams.lifecycle import WAITING, StepRefused, lock_session, move_session
from exams.models import ExamSession, SessionStatus
from exams.policy import Policy
from exams.start_pictures import keep_start_picture
from exams.virtual_cameras import is_virtual
from vision.types import Sense

SMALLEST = (320, 240)
DARK, BRIGHT = 0.15, 0.92
SILENT_DBFS, CLIPPING_DBFS = -60.0, -1.0
SLOW_RTT_MS, SLOW_KBPS = 500.0, 400.0
LEAST_POINTS = 3
"""From fewer points nothing is said about how somebody looks at the screen."""

Measured = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the check found: ``blocks`` if the exam cannot begin with it, and what to do about it."""

    code: str
    blocks: bool
    finding: Promise
    advice: Promise


_FINDINGS = (
    Finding(
        "camera_missing",
        True,
        gettext_lazy("No camera can be used."),
        gettext_lazy("Plug a camera in, allow this page to use it, and close other programs that use it."),
    ),
    Finding(
        "picture_too_small",
        True,
        gettext_lazy("The camera's picture is smaller than 320 × 240."),
        gettext_lazy("Choose another camera or a larger picture."),
    ),
    Finding(
        "virtual_camera",
        False,
        gettext_lazy("The camera is a program that can show recordings."),
        gettext_lazy("Choose the camera itself, and close the program: its use is told to the reviewer."),
    ),
    Finding(
        "no_face",
        False,
        gettext_lazy("No face can be seen."),
        gettext_lazy("Sit in front of the camera, with light on your face."),
    ),
    Finding(
        "several_faces",
        False,
        gettext_lazy("More than one face can be seen."),
        gettext_lazy("Be alone, and turn pictures of people away from the camera."),
    ),
    Finding(
        "eyes_unseen",
        False,
        gettext_lazy("Your gaze could not be seen at every point."),
        gettext_lazy("Sit nearer to the camera, with light on your face, and look at the points again."),
    ),
    Finding("too_dark", False, gettext_lazy("The picture is very dark."), gettext_lazy("Put a light in front of you.")),
    Finding(
        "too_bright",
        False,
        gettext_lazy("The picture is very bright."),
        gettext_lazy("Turn away from the window or the lamp."),
    ),
    Finding(
        "microphone_missing",
        True,
        gettext_lazy("No microphone can be used."),
        gettext_lazy("Plug a microphone in, and allow this page to use it."),
    ),
    Finding(
        "microphone_silent",
        False,
        gettext_lazy("The microphone hears nothing."),
        gettext_lazy("Speak a few words; see that it is not muted and that the right one is chosen."),
    ),
    Finding(
        "microphone_clipping",
        False,
        gettext_lazy("The microphone is overdriven."),
        gettext_lazy("Turn its level down."),
    ),
    Finding(
        "voice_unheard",
        False,
        gettext_lazy("Nobody was heard reading the sentence."),
        gettext_lazy("Read it aloud, towards the microphone, until the recording ends."),
    ),
    Finding(
        "voice_short",
        False,
        gettext_lazy("Too little of your voice was heard."),
        gettext_lazy("Read the whole sentence aloud; when you are through, begin it again."),
    ),
    Finding(
        "voice_quiet",
        False,
        gettext_lazy("Your voice is very quiet."),
        gettext_lazy("Sit nearer to the microphone or turn its level up, then read the sentence again."),
    ),
    Finding(
        "voice_several",
        False,
        gettext_lazy("More than one voice was heard."),
        gettext_lazy("Be alone, switch off what speaks or plays, then read the sentence again."),
    ),
    Finding(
        "network_slow",
        False,
        gettext_lazy("The connection is slow."),
        gettext_lazy("Use a cable or move nearer to the router, and stop downloads."),
    ),
    Finding(
        "several_screens",
        False,
        gettext_lazy("More than one screen is connected."),
        gettext_lazy("Disconnect all screens but one."),
    ),
)
FINDINGS: Mapping[str, Finding] = {finding.code: finding for finding in _FINDINGS}


def judge_check(measured: Measured, policy: Policy) -> list[str]:
    """Return the codes of what is wrong, in order; what was not measured, or nobody examines, is not wrong."""
    wrong = {
        **(_camera(measured["camera"], policy) if policy.looks else {}),
        **_microphone(measured["microphone"]),
        "network_slow": _slow(measured.get("network") or {}),
        "several_screens": (measured.get("screens") or 1) > 1,
        "eyes_unseen": _was_unseen(measured),
    }
    return [code for code in FINDINGS if wrong.get(code)]


def usual_pose(check: Measured) -> dict[str, float]:
    """Return how head and eyes are turned on the average of the calibration's points, as far as these were measured.

    ``check``: what is kept of a system check. Keys as in a point: ``yaw``, ``pitch`` (degrees), ``horizontal`` and
    ``vertical``.
    """
    points = _points((check or {}).get("measured") or {})
    found = {}
    for name in POSES:
        values = [point[name] for point in points if point.get(name) is not None]
        if len(values) >= LEAST_POINTS:
            found[name] = sum(values) / len(values)
    return found


def _points(measured: Measured) -> Sequence[Measured]:
    return (measured.get("calibration") or {}).get("points") or []


def _was_unseen(measured: Measured) -> bool:
    looked_at = [point["yaw"] for point in _points(measured) if "yaw" in point]
    return bool(looked_at) and sum(yaw is not None for yaw in looked_at) < LEAST_POINTS


def _camera(camera: Measured, policy: Policy) -> dict[str, bool]:
    if not camera["available"]:
        return {"camera_missing": True}
    sizes = zip((camera.get("width"), camera.get("height")), SMALLEST, strict=True)
    faces = camera.get("faces") if Sense.FACES in policy.senses else None
    brightness = camera.get("brightness")
    return {
        "virtual_camera": is_virtual(camera.get("name") or ""),
        "picture_too_small": any(size is not None and size < least for size, least in sizes),
        "no_face": faces == 0,
        "several_faces": faces is not None and faces > 1,
        "too_dark": brightness is not None and brightness < DARK,
        "too_bright": brightness is not None and brightness > BRIGHT,
    }


def _microphone(microphone: Measured) -> dict[str, bool]:
    if not microphone["available"]:
        return {"microphone_missing": True}
    level, voice = microphone.get("level_dbfs"), microphone.get("voice")
    return {
        f"voice_{voice}": voice is not None,
        "microphone_silent": level is not None and level < SILENT_DBFS,
        "microphone_clipping": level is not None and level > CLIPPING_DBFS,
    }


def _slow(network: Measured) -> bool:
    rtt, speed = network.get("rtt_ms"), network.get("kbps")
    return (rtt is not None and rtt > SLOW_RTT_MS) or (speed is not None and speed < SLOW_KBPS)


def require_waiting(session: ExamSession) -> None:
    """Raise ``StepRefused`` unless the session waits for its beginning."""
    if session.status not in WAITING:
        raise StepRefused(_("The system check belongs before the beginning of the session."))


@transaction.atomic
def record_check(*, session: ExamSession, measured: Measured, head: bytes | None = None) -> ExamSession:
    """Judge what was measured and keep both; the session is checking in from now on. Raises ``StepRefused``.

    ``measured``: ``camera`` and ``microphone`` with ``available``, and whatever else was measured, as plain JSON. The
    check may be repeated until the session begins; the last one counts. ``head``: a small JPEG of the candidate, kept
    where they agreed to it, in place of an earlier one.
    """
    locked = lock_session(session.pk)
    require_waiting(locked)
    findings = judge_check(measured, locked.rules)
    check = {
        "at": timezone.now().isoformat(),
        "passed": not any(FINDINGS[code].blocks for code in findings),
        "findings": findings,
        "measured": dict(measured),
    }
    if locked.status == SessionStatus.CREATED:
        locked = move_session(session=locked, to=SessionStatus.CHECKING_IN, by=locked.candidate.user)
    locked.system_check = check
    locked.save(update_fields=["system_check"])
    if head is not None:
        keep_start_picture(session=locked, head=head)
    return locked
