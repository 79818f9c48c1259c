"""Who sat there, side by side: the enrolled face, the beginning and the latest, as far as anything of it is kept.

Kept as such are small pictures of the enrolled head and of the head at the system check, where the candidate agreed to
it. Where there is none, evidence of an activity stands for the beginning and the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.models import ExamSession
from exams.policy import Policy
from exams.system_check import FINDINGS
from monitoring.activity_cards import picture_address
from monitoring.compared import NOT_COMPARED
from monitoring.identity_pictures import KeptTimes, Which
from monitoring.session_strips import Moment
from monitoring.summary import Activity, offset_in
from monitoring.timeline import clock

NEWEST = gettext_lazy("Live: the newest picture, at most a minute old.")
NEWEST_GONE = gettext_lazy("Live: no newer picture came in the last minute.")
NEWEST_ALT = gettext_lazy("The newest picture of the running session.")

Shot = tuple[datetime, Activity]
"""When a kept picture was taken, and the activity of which it is evidence."""


@dataclass(frozen=True, slots=True)
class FaceSlot:
    """One of the faces: which kept picture, or else the activity whose evidence stands for it, and what is told of it.

    ``address`` is where the picture is served, and ``live`` where newer ones will be, while any may come.
    """

    title: str
    lines: tuple[str, ...]
    alt: str = ""
    distance: str = ""
    which: Which | None = None
    item: Activity | None = None
    address: str = ""
    live: str = ""


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces side by side, and what is to be known of them together."""

    slots: tuple[FaceSlot, ...]
    remarks: tuple[str, ...]


def faces_of(
    session: ExamSession,
    policy: Policy,
    *,
    kept: KeptTimes,
    items: Iterable[Activity],
    moments: Sequence[Moment],
    live: bool = False,
    glimpsed: bool = False,
) -> Faces:
    """Return what is known of the enrolled face, of the beginning and of now, or of the end.

    ``live``: newer pictures may come; ``glimpsed``: one is there already.
    """
    shots = sorted(
        ((item.evidence.captured_at, item) for item in items if item.evidence and not item.evidence.is_sound),
        key=lambda shot: shot[0],
    )
    compared = [moment for moment in moments if moment.apart is not None]
    start = _start(session, kept, shots[:1])
    newest = _newest(session) if glimpsed else _evidence(session, shots[-1:])
    now = replace(
        newest,
        title=_("Now") if session.is_open else _("At the end"),
        live=address_of_face(session, Which.NOW) if live else "",
    )
    return Faces(
        (_enrolled(session, kept), _with_distance(start, compared[:1]), _with_distance(now, compared[-1:])),
        (*_compared(bool(compared), kept, policy), *_checked(session, kept)),
    )


def address_of_face(session: ExamSession, which: Which) -> str:
    """Return where a picture that is no evidence is served."""
    return reverse("admin:exams_examsession_identity", args=[session.pk, which.value])


def _enrolled(session: ExamSession, kept: KeptTimes) -> FaceSlot:
    title = _("Enrolled")
    if kept.enrolled_at is None:
        return FaceSlot(title, (_("No picture is kept of an enrolled face."),))
    when = {"when": _written(kept.enrolled_at)}
    lines = [_("Enrolled on %(when)s.") % when]
    if session.ended_at is not None and kept.enrolled_at > session.ended_at:
        lines.append(_("That was after this session."))
    alt = _("The enrolled face, of %(when)s.") % when
    address = address_of_face(session, Which.ENROLLED)
    return FaceSlot(title, tuple(lines), alt, which=Which.ENROLLED, address=address)


def _start(session: ExamSession, kept: KeptTimes, shots: Sequence[Shot]) -> FaceSlot:
    title = _("At the start")
    if kept.start_at is None:
        return replace(_evidence(session, shots), title=title)
    when = {"when": _written(kept.start_at)}
    alt = _("The face at the system check, of %(when)s.") % when
    line = _("From the system check, %(when)s.") % when
    return FaceSlot(title, (line,), alt, which=Which.START, address=address_of_face(session, Which.START))


def _newest(session: ExamSession) -> FaceSlot:
    return FaceSlot("", (str(NEWEST),), str(NEWEST_ALT), which=Which.NOW, address=address_of_face(session, Which.NOW))


def _evidence(session: ExamSession, shots: Sequence[Shot]) -> FaceSlot:
    if not shots:
        return FaceSlot("", (_("No picture is kept: nothing was found of which one would be evidence."),))
    taken_at, item = shots[0]
    line = _("Kept picture nearest to it, %(at)s, as evidence of:") % {"at": clock(offset_in(session, taken_at))}
    alt = _("Kept picture of: %(kind)s at %(time)s.") % {"kind": item.label, "time": item.offset}
    address = picture_address(item.evidence.id) if item.evidence else ""
    return FaceSlot("", (line,), alt, item=item, address=address)


def _with_distance(slot: FaceSlot, compared: Sequence[Moment]) -> FaceSlot:
    lines = [
        _("Distance from the enrolled face: %(apart)s (at %(at)s)")
        % {"at": clock(moment.at), "apart": f"{moment.apart:.2f}"}
        for moment in compared
    ]
    return replace(slot, distance=lines[0] if lines else "")


def _compared(was_compared: bool, kept: KeptTimes, policy: Policy) -> tuple[str, ...]:
    if not was_compared:
        # Who sees an enrolled face knows already that it may be compared.
        return (
            (
                _("No picture of this session has been compared with the enrolled face.")
                if kept.enrolled_at
                else _(NOT_COMPARED)
            ),
        )
    limits = {
        "unsure": f"{policy.thresholds.identity_unsure:.2f}",
        "mismatch": f"{policy.thresholds.identity_mismatch:.2f}",
    }
    return (
        _("Pictures of this session were compared with the enrolled face."),
        _("A distance of %(unsure)s or more is unsure, one of %(mismatch)s or more speaks for somebody else.") % limits,
    )


def _checked(session: ExamSession, kept: KeptTimes) -> tuple[str, ...]:
    check = session.system_check or {}
    if not check:
        return ()
    findings = [str(FINDINGS[code].finding) for code in check.get("findings", ()) if code in FINDINGS]
    found = {"found": " ".join(findings) or _("Nothing was wrong.")}
    if kept.start_at is not None:
        return (_("What the system check found: %(found)s") % found,)
    return (_("The pictures of the system check were looked at and not kept. What was found: %(found)s") % found,)


def _written(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
