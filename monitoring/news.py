"""What is told of a watched session, to its candidate and to the reviewers of its exam; put together after commit."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from exams.clock import assignment_of, time_of
from exams.kinds import Kind, RiskLevel, kind_label
from exams.models import ExamSession, SessionStatus
from monitoring import notify, queue, wall, wire
from monitoring.models import Assessment, MonitoringLog, SessionMonitor, SuspiciousActivity

UPDATE_EVERY_S = 1.0
"""An activity that merely goes on is told at most so often per session; beginnings and ends always are."""

REMEMBERED = 50_000

_updated: dict[uuid.UUID, float] = {}


@dataclass(frozen=True, slots=True)
class Scores:
    """What the wall shows of an assessment."""

    risk_score: float
    risk_level: str


def scores_of(assessment: Assessment) -> Scores:
    """Return how an assessment stands, to compare with later."""
    return Scores(assessment.risk_score, str(assessment.risk_level))


@dataclass(frozen=True, slots=True)
class News:
    """What was just written of one session: activities, and its assessment with the scores ``before``.

    The candidate hears of what was ``reported`` as a log entry, so not again as an activity.
    """

    monitor: SessionMonitor
    assessment: Assessment
    activities: Sequence[SuspiciousActivity]
    before: Scores
    reported: bool = False

    @property
    def turned(self) -> str | None:
        """The level, where the session has just turned High."""
        level = self.assessment.risk_level
        return level if level == RiskLevel.HIGH and level != self.before.risk_level else None

    @property
    def is_on_the_wall(self) -> bool:
        """Whether the wall shows the session differently now."""
        gap = any(activity.kind == Kind.NETWORK_GAP for activity in self.activities)
        return gap or self.before != scores_of(self.assessment)


def tell_all_found(found: Sequence[News]) -> None:
    """Tell what was just written of some sessions: activities, and scores where they changed.

    When a session turns High for the first time, mail is asked for; the caller holds the monitors' rows.
    """
    for one in found:
        if one.turned is not None:
            _ask_for_mail(one.monitor)
    if not notify.is_reachable():
        return
    if any(one.activities for one in found):
        notify.after_commit(lambda: _tell_activities(found))
    changed = {one.monitor.pk: (one.monitor.session.exam_id, one.turned) for one in found if one.is_on_the_wall}
    if changed:
        notify.after_commit(lambda: _tell_rows(changed))


def tell_session(session_id: uuid.UUID, exam_id: uuid.UUID) -> None:
    """Tell the reviewers how a session now stands: status, scores, presence."""
    if notify.is_reachable():
        _tell_rows({session_id: (exam_id, None)})


def tell_presence(*session_ids: uuid.UUID) -> None:
    """Tell the reviewers that these candidates' sides came or went."""
    if session_ids and notify.is_reachable():
        notify.after_commit(lambda: _tell_sessions(session_ids))


def _tell_sessions(session_ids: Sequence[uuid.UUID]) -> None:
    exams = ExamSession.objects.filter(pk__in=session_ids).values_list("pk", "exam_id")
    _tell_rows({session_id: (exam_id, None) for session_id, exam_id in exams})


def _tell_rows(changed: Mapping[uuid.UUID, tuple[uuid.UUID, str | None]]) -> None:
    """Tell how sessions now stand: with each its exam, and the level that it has just turned to."""
    with translation.override(settings.LANGUAGE_CODE):  # whoever set this off may speak another one
        rows = wall.rows_of(changed)
    for row in rows:
        exam_id, turned = changed[uuid.UUID(row.id)]
        notify.tell_reviewers(exam_id, wire.SessionChanged(row, turned), is_update=turned is None)


def tell_logged(session: ExamSession, logs: Sequence[MonitoringLog]) -> None:
    """Tell the candidate what was written into the log about them, but for what the proctor noted for the staff."""
    told = [log for log in logs if log.source != MonitoringLog.Source.PROCTOR]
    if told and notify.is_reachable():
        events = [(log.event_type, log.believed_at) for log in told]
        notify.after_commit(lambda: _tell_logs({session.pk: events}))


def tell_message(session: ExamSession, log: MonitoringLog) -> None:
    """Tell the candidate what the proctor says."""
    message = wire.ProctorMessage(text=str(log.detail.get("text", "")), time=log.occurred_at)
    notify.tell_candidate(session.pk, message)


def tell_step(session: ExamSession) -> None:
    """Tell both sides that a session took a step of its life-cycle, or got more time; call it after the commit.

    The candidate's socket is closed when the session is over.
    """
    if not notify.is_reachable():
        return
    clock = time_of(session, arranged=assignment_of(session))
    reason = _reason(session)
    status = wire.Status(session.status, left_s=clock.left_s, deadline_at=clock.deadline_at, reason=reason or None)
    if session.is_open:
        notify.tell_candidate(session.pk, status)
    else:
        with translation.override(language_of(session.candidate.user)):
            sentence = closing_sentence(session.status)
        notify.tell_candidate(session.pk, status, close=wire.Close.ENDED, close_reason=sentence)
    tell_session(session.pk, session.exam_id)


def closing_sentence(status: str) -> str:
    """Return why a socket is closed, in the active language."""
    sentences = {
        SessionStatus.SUBMITTED: _("This session was submitted."),
        SessionStatus.TERMINATED: _("This session was ended by the proctor."),
        SessionStatus.EXPIRED: _("Time is up."),
    }
    return sentences[SessionStatus(status)]


def language_of(user: User) -> str:
    """Return the language in which somebody is written to where no browser says which."""
    return user.language or settings.LANGUAGE_CODE


def _reason(session: ExamSession) -> str:
    """Return what staff gave as the reason of the latest step; steps that nobody of the staff took have none."""
    step = session.transitions.order_by("-id").first()
    if step is None or step.by_id in (None, session.candidate.user_id):
        return ""
    return step.reason


def _ask_for_mail(monitor: SessionMonitor) -> None:
    """Note once that the session turned High, and that mail is due: the sweep finds it where the message is lost."""
    first = SessionMonitor.objects.filter(pk=monitor.pk, high_told_at__isnull=True)
    now, wanted = timezone.now(), monitor.session.exam.mail_when_high
    if first.update(high_told_at=now, mail_due_at=now if wanted else None):
        monitor.high_told_at, monitor.mail_due_at = now, now if wanted else None
        if wanted:
            notify.after_commit(lambda: queue.send(queue.MAIL_HIGH, monitor.pk))


def _tell_activities(found: Iterable[News]) -> None:
    begun = {}
    for one in found:
        session = one.monitor.session
        for activity in one.activities:
            _tell_activity(session, activity)
        if not one.reported:
            begun[session.pk] = [(each.kind, each.started_at) for each in one.activities if each.newly_written]
    _tell_logs({session_id: events for session_id, events in begun.items() if events})


def _tell_activity(session: ExamSession, activity: SuspiciousActivity) -> None:
    begun, over = activity.newly_written, activity.ended_at is not None
    if begun or over or _is_due(session.pk):
        with translation.override(settings.LANGUAGE_CODE):
            message = wire.ActivityChanged(str(session.pk), wall.shown_activity(activity))
        notify.tell_reviewers(session.exam_id, message, is_update=not (begun or over))


def _is_due(session_id: uuid.UUID) -> bool:
    now = time.monotonic()
    if now - _updated.get(session_id, -UPDATE_EVERY_S) < UPDATE_EVERY_S:
        return False
    if len(_updated) >= REMEMBERED:
        _updated.clear()
    _updated[session_id] = now
    return True


def _tell_logs(events: Mapping[uuid.UUID, Sequence[tuple[str, datetime]]]) -> None:
    """Tell candidates, by session, what was noted about them, each in their language."""
    if not events:
        return
    sessions = ExamSession.objects.filter(pk__in=list(events)).order_by()
    for session_id, language in sessions.values_list("pk", "candidate__user__language"):
        with translation.override(language or settings.LANGUAGE_CODE):
            data = [wire.LoggedEvent(kind_label(kind), kind, at) for kind, at in events[session_id]]
        notify.tell_candidate(session_id, wire.Logs(data))
