"""The vocabulary of suspicious activities.

A kind outside this list is kept as it is and weighs what the policy says of unknown kinds.
"""

from dataclasses import dataclass, replace

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What may be pointed at."""

    NO_FACE = "NO_FACE", _("Nobody in view")
    MULTIPLE_FACES = "MULTIPLE_FACES", _("Several faces")
    EXTRA_PERSON = "EXTRA_PERSON", _("Another person")
    FACE_PARTLY_HIDDEN = "FACE_PARTLY_HIDDEN", _("Face not wholly in the picture")
    LOOKING_AWAY = "LOOKING_AWAY", _("Looking away")
    LOOKING_DOWN = "LOOKING_DOWN", _("Looking down")
    EYE_MOVEMENT = "EYE_MOVEMENT", _("Eyes go again and again to one place")
    EYES_CLOSED = "EYES_CLOSED", _("Eyes closed")
    MOUTH_MOVING = "MOUTH_MOVING", _("Mouth moves as in talking")
    HAND_GESTURE = "HAND_GESTURE", _("Hand signs")
    HAND_AT_EAR = "HAND_AT_EAR", _("Hand at the ear")
    HAND_OVER_MOUTH = "HAND_OVER_MOUTH", _("Hand over the mouth")
    PHONE = "PHONE", _("Phone")
    BOOK = "BOOK", _("Book")
    LAPTOP = "LAPTOP", _("Second computer")
    IDENTITY_MISMATCH = "IDENTITY_MISMATCH", _("Somebody else's face")
    IDENTITY_UNSURE = "IDENTITY_UNSURE", _("Not sure whose face it is")
    SPOOF_SUSPECTED = "SPOOF_SUSPECTED", _("Not a live picture of a person")
    CAMERA_BLOCKED = "CAMERA_BLOCKED", _("Camera covered")
    POOR_LIGHT = "POOR_LIGHT", _("Too dark to see")
    CAMERA_BLURRED = "CAMERA_BLURRED", _("Picture too blurred to see")
    CAMERA_SILENT = "CAMERA_SILENT", _("No pictures from the camera")
    LOUD_NOISE = "LOUD_NOISE", _("Loud noise")
    MIC_SILENT = "MIC_SILENT", _("Microphone hears nothing")
    SPEECH = "SPEECH", _("Somebody speaks")
    BACKGROUND_VOICE = "BACKGROUND_VOICE", _("Somebody else speaks")
    MULTIPLE_VOICES = "MULTIPLE_VOICES", _("Several voices")
    TAB_SWITCH = "TAB_SWITCH", _("Left the exam tab")
    WINDOW_BLUR = "WINDOW_BLUR", _("Another window in front")
    FULLSCREEN_EXIT = "FULLSCREEN_EXIT", _("Left full screen")
    COPY = "COPY", _("Copied something")
    CUT = "CUT", _("Cut something out")
    PASTE = "PASTE", _("Pasted something")
    RIGHT_CLICK = "RIGHT_CLICK", _("Right click")
    KEYBOARD_SHORTCUT = "KEYBOARD_SHORTCUT", _("Keyboard shortcut")
    PRINT = "PRINT", _("Asked to print")
    DEVTOOLS_OPEN = "DEVTOOLS_OPEN", _("Opened the developer tools")
    SECOND_SCREEN = "SECOND_SCREEN", _("Second screen")
    CAMERA_ON = "CAMERA_ON", _("Camera switched on")
    CAMERA_OFF = "CAMERA_OFF", _("Camera switched off")
    MIC_ON = "MIC_ON", _("Microphone switched on")
    MIC_OFF = "MIC_OFF", _("Microphone switched off")
    DEVICE_CHANGE = "DEVICE_CHANGE", _("Camera or microphone changed")
    USER_IDLE = "USER_IDLE", _("Nothing typed or moved")
    ACTIVITY = "ACTIVITY", _("Count of keys and mouse moves")
    NETWORK_GAP = "NETWORK_GAP", _("Connection lost")
    RECORDING_GAP = "RECORDING_GAP", _("Part of the recording could not be read")
    INVALID_IMAGE = "INVALID_IMAGE", _("Picture could not be read")
    INVALID_AUDIO = "INVALID_AUDIO", _("Sound could not be read")
    NO_FRAME_RECEIVED = "NO_FRAME_RECEIVED", _("No picture received")
    ANALYZE = "ANALYZE", _("Analysed on request")
    NOTE = "NOTE", _("Note")
    PROCTOR_MESSAGE = "PROCTOR_MESSAGE", _("Message from the proctor")


def kind_label(kind: str) -> str:
    """Return the kind in words; an unknown kind is its own name."""
    try:
        return str(Kind(kind).label)
    except ValueError:
        return kind


class Severity(models.IntegerChoices):
    """How grave one activity is; also the factor by which its weight counts."""

    LOW = 1, _("low")
    MEDIUM = 2, _("medium")
    HIGH = 3, _("high")


class RiskLevel(models.TextChoices):
    """Where a session stands in the list."""

    LOW = "Low", _("Low")
    MEDIUM = "Medium", _("Medium")
    HIGH = "High", _("High")


@dataclass(frozen=True, slots=True)
class KindRule:
    """When an activity of one kind opens, closes and rests, and what it weighs.

    It opens when ``hold`` of the last ``of`` examined observations within ``window_s`` seconds say yes and the first
    and last of them lie at least ``hold_s`` seconds apart; it closes after ``release_s`` seconds of no, then rests for
    ``cooldown_s`` seconds. ``instant`` kinds are facts of a moment: they open and close at once, and only rest.
    """

    weight: float = 1.0
    severity: int = 1
    enabled: bool = True
    hold: int = 3
    of: int = 4
    hold_s: float = 2.0
    window_s: float = 15.0
    release_s: float = 2.0
    cooldown_s: float = 5.0
    instant: bool = False


_OBJECT = KindRule(hold=2, of=3, hold_s=1.0, window_s=20.0, release_s=5.0)
# Only every second look is at the whole picture, and nothing brings the next one sooner: three take a minute.
_LYING = replace(_OBJECT, window_s=75.0)
_FACE = KindRule(hold=3, of=4, hold_s=2.0, window_s=20.0, release_s=2.0)
_VOICE = KindRule(hold=2, of=3, hold_s=1.0, window_s=6.0, release_s=2.0, cooldown_s=1.0)
_ADVICE = KindRule(weight=0, hold=4, of=5, hold_s=3.0)
_REPORTED = KindRule(instant=True)
_TECHNICAL = KindRule(weight=0, instant=True)
# Says nothing against anybody: written down, and no activity comes of it.
_WRITTEN_DOWN = KindRule(weight=0, instant=True, enabled=False)

# Weights are those that the systems before this one shared, so that scores stay comparable: four named kinds, every
# other 1, advice and technical kinds 0. Severity is told only where a single sighting is grave.
DEFAULT_RULES: dict[str, KindRule] = {
    Kind.NO_FACE: KindRule(weight=2),
    Kind.MULTIPLE_FACES: KindRule(weight=4),
    Kind.EXTRA_PERSON: replace(_OBJECT, severity=2, hold=3, of=4, hold_s=2.0),
    # Told, so that somebody mends it; who sits badly does nothing wrong.
    Kind.FACE_PARTLY_HIDDEN: replace(_ADVICE, release_s=4.0),
    Kind.LOOKING_AWAY: KindRule(weight=2),
    # Who types looks at the keyboard: only what lasts is told, and it weighs little.
    Kind.LOOKING_DOWN: KindRule(weight=0.5, hold=8, of=10, hold_s=8.0),
    # Off until there is enough to say how good they are: docs/accuracy.md.
    # One yes stands on many short looks (monitoring/glances.py); it goes on as long as they come.
    Kind.EYE_MOVEMENT: KindRule(hold=1, of=1, hold_s=0.0, release_s=30.0, cooldown_s=30.0, enabled=False),
    Kind.EYES_CLOSED: KindRule(hold=5, of=6, hold_s=4.0, enabled=False),
    Kind.MOUTH_MOVING: KindRule(hold=4, of=5, hold_s=3.0, release_s=4.0, enabled=False),
    # A sign takes a second, of which the hands are blurred while they come and go. Told, and adds nothing:
    # docs/accuracy.md.
    Kind.HAND_GESTURE: KindRule(weight=0, hold=2, of=3, hold_s=0.3, window_s=10.0, release_s=3.0),
    Kind.HAND_AT_EAR: KindRule(hold=4, of=5, hold_s=4.0, release_s=4.0, enabled=False),
    Kind.HAND_OVER_MOUTH: KindRule(hold=4, of=5, hold_s=4.0, release_s=4.0, enabled=False),
    Kind.PHONE: replace(_OBJECT, severity=3, hold_s=0.3),
    # A shelf behind somebody holds books as well: told, and adds nothing.
    Kind.BOOK: replace(_LYING, weight=0, severity=2),
    Kind.LAPTOP: _LYING,
    # Looks are rare while nothing is in doubt, and come with each picture once something is.
    Kind.IDENTITY_MISMATCH: replace(_FACE, severity=3),
    Kind.IDENTITY_UNSURE: replace(_FACE, weight=0, hold=4, of=5, hold_s=8.0, window_s=60.0),
    # Its facts are long in coming already: see Liveness, and the thresholds.
    Kind.SPOOF_SUSPECTED: KindRule(severity=2, hold=2, of=3, hold_s=1.0, release_s=10.0, cooldown_s=60.0),
    Kind.CAMERA_BLOCKED: KindRule(hold=4, of=5, hold_s=3.0),
    Kind.POOR_LIGHT: _ADVICE,
    Kind.CAMERA_BLURRED: _ADVICE,
    Kind.CAMERA_SILENT: KindRule(severity=2, cooldown_s=0),  # the server finds it by its clock: silent_after_s
    Kind.LOUD_NOISE: _VOICE,
    Kind.MIC_SILENT: KindRule(hold=15, of=16, hold_s=14.0, window_s=30.0, release_s=1.0),
    # Who reads a problem aloud does nothing wrong: it is told, and adds nothing.
    Kind.SPEECH: replace(_VOICE, weight=0),
    Kind.BACKGROUND_VOICE: replace(_VOICE, severity=2),
    Kind.MULTIPLE_VOICES: replace(_VOICE, severity=2),
    Kind.TAB_SWITCH: KindRule(weight=3, instant=True),
    Kind.WINDOW_BLUR: _REPORTED,
    Kind.FULLSCREEN_EXIT: _REPORTED,
    Kind.COPY: _REPORTED,
    Kind.CUT: _REPORTED,
    Kind.PASTE: _REPORTED,
    Kind.RIGHT_CLICK: _REPORTED,
    Kind.KEYBOARD_SHORTCUT: _REPORTED,
    Kind.PRINT: _REPORTED,
    Kind.DEVTOOLS_OPEN: _REPORTED,
    Kind.SECOND_SCREEN: _REPORTED,
    Kind.CAMERA_ON: _WRITTEN_DOWN,
    Kind.CAMERA_OFF: _REPORTED,
    Kind.MIC_ON: _WRITTEN_DOWN,
    Kind.MIC_OFF: _REPORTED,
    Kind.DEVICE_CHANGE: _REPORTED,
    Kind.USER_IDLE: _TECHNICAL,  # who reads or thinks types nothing
    Kind.ACTIVITY: _WRITTEN_DOWN,
    Kind.NETWORK_GAP: _TECHNICAL,
    Kind.RECORDING_GAP: _TECHNICAL,
    Kind.INVALID_IMAGE: _TECHNICAL,
    Kind.INVALID_AUDIO: _TECHNICAL,
    Kind.NO_FRAME_RECEIVED: _TECHNICAL,
    Kind.ANALYZE: _WRITTEN_DOWN,
    Kind.NOTE: _WRITTEN_DOWN,
    Kind.PROCTOR_MESSAGE: _WRITTEN_DOWN,
}


class CandidateSees(models.TextChoices):
    """What of the machine's result a candidate is told after the exam."""

    NOTHING = "nothing", _("nothing")
    SCORES = "scores", _("scores")
    BREAKDOWN = "breakdown", _("scores and what they are made of")
