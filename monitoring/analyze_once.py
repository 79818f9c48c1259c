"""One call, one answer: a picture, sound and events of the same moment, stored like any others and waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from exams.models import ExamSession
from monitoring import intake, services
from monitoring.examined import Seen, heard_in, open_activities, seen_in, wait_for
from monitoring.models import Assessment, MonitoringLog, Observation, SuspiciousActivity


@dataclass(frozen=True, slots=True)
class Sent:
    """What one call brings; ``media_type`` is what a ``data:`` URL says, empty where nothing is said."""

    picture: bytes | None = None
    picture_type: str = ""
    sound: bytes | None = None
    sound_type: str = ""
    reports: Sequence[services.Report] = ()


@dataclass(frozen=True, slots=True)
class Analyzed:
    """What came of it: labels are the kinds found in picture and sound, and those reported; ``seen`` is None in
    time-out."""

    assessment: Assessment
    labels: list[str]
    seen: Seen | None
    activities: Sequence[SuspiciousActivity]
    not_examined: list[str]


def analyze_once(*, session: ExamSession, sent: Sent, source: str) -> Analyzed:
    """Store what was sent, wait for picture and sound to be examined, and write a log entry of the result.

    All of it is checked before any of it is stored. Raises ``IntakeRefused``.
    """
    if sent.picture is None and sent.sound is None and not sent.reports:
        raise intake.IntakeRefused(_("Send a picture, sound or events."), code="nothing_sent")
    _check(session, sent)
    number = None
    if sent.sound is not None:
        number, now = services.next_seq(session_id=session.pk), time.time()
        intake.take_sound(session=session, seq=number, captured_at=now, data=sent.sound, media_type=sent.sound_type)
    if sent.reports:
        intake.take_events(session=session, reports=sent.reports, source=source)
    seen = None if sent.picture is None else _see(session, sent.picture, sent.picture_type)
    heard = None if number is None else wait_for(session=session, stream="audio", seq=number)
    return _result(session, sent, seen, heard)


def _check(session: ExamSession, sent: Sent) -> None:
    if sent.picture is not None or sent.sound is not None:
        intake.check_active(session)
    if sent.picture is not None:
        intake.check_picture(session, sent.picture, sent.picture_type)
    if sent.sound is not None:
        intake.check_sound(session, sent.sound, sent.sound_type)


def _see(session: ExamSession, picture: bytes, media_type: str) -> Seen | None:
    seq = services.next_seq(session_id=session.pk)
    intake.take_frame(session=session, seq=seq, captured_at=time.time(), data=picture, media_type=media_type)
    row = wait_for(session=session, stream="frame", seq=seq)
    return None if row is None else seen_in(row, session.rules)


def _result(session: ExamSession, sent: Sent, seen: Seen | None, heard: Observation | None) -> Analyzed:
    reported = [report.event_type for report in sent.reports if session.rules.rule(report.event_type).enabled]
    in_sound, unheard = ([], []) if heard is None else heard_in(heard, session.rules)
    labels = list(dict.fromkeys([*(seen.events if seen else []), *in_sound, *reported]))
    not_examined = [*(seen.not_examined if seen else ()), *unheard]
    not_examined += ["image"] if sent.picture is not None and seen is None else []
    not_examined += ["audio"] if sent.sound is not None and heard is None else []
    assessment = Assessment.objects.get(session=session, is_current=True)
    detail = {"risk_score": assessment.risk_score, "labels": labels} | ({"seq": seen.seq} if seen else {})
    report = services.Report("ANALYZE", timezone.now(), detail=detail)
    services.record_events(session_id=session.pk, reports=[report], source=MonitoringLog.Source.SERVER)
    return Analyzed(assessment, labels, seen, open_activities(session), not_examined)
