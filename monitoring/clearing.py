"""Setting a session's log entries aside, and judging the session as if they had never been made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import record_audit
from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession
from monitoring import news, notify, rules
from monitoring.found import watched_s
from monitoring.models import Assessment, LogClearing, MonitoringLog, SessionMonitor, SuspiciousActivity
from monitoring.rescoring import fold_again
from monitoring.selectors import overlapping
from monitoring.store import delete_unused, moment_of, write_changes, write_state


class NoLongerKept(Refused):
    """A session cannot be judged again, because what was observed is gone."""

    code, status = "no_longer_kept", 409

    def __init__(self) -> None:
        super().__init__(_("What was observed in this session is no longer kept, so it cannot be judged again."))


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many log entries were set aside, and how many activities of the current assessment rested on them."""

    logs: int
    activities: int


@transaction.atomic
def clear_logs(*, session: ExamSession, reason: str, by: User, ip_address: str | None = None) -> Cleared:
    """Set the session's log entries aside, out of lists and scores, and judge it again from what is left.

    Activities that stay keep their pictures and decisions; those that rested on the entries go, and the audit log says
    which. Where there is nothing to set aside, nothing is written. Raises ``NoLongerKept``.
    """
    # The monitor's row is the lock under which logs come in and scores are written.
    monitor = SessionMonitor.objects.select_for_update().filter(pk=session.pk).first()
    session = ExamSession.objects.select_related("policy", "candidate__user").get(pk=session.pk)
    logs = MonitoringLog.objects.filter(session=session, clearing__isnull=True)
    if not logs.exists():
        return Cleared(0, 0)
    if monitor is not None and monitor.evidence_removed_at is not None:
        raise NoLongerKept
    count = logs.update(clearing=LogClearing.objects.create(session=session, reason=reason, cleared_by=by))
    gone: list[dict[str, Any]] = []
    for assessment in Assessment.objects.filter(session=session).select_related("policy"):
        gone += _judge_again(session, assessment, monitor) if monitor is not None else []
    record_audit(
        action="logs_cleared",
        actor=by,
        subject=session.candidate.user,
        ip_address=ip_address,
        detail={"session": str(session.pk), "reason": reason, "logs": count, "activities": gone},
    )
    notify.after_commit(lambda: news.tell_session(session.pk, session.exam_id))
    return Cleared(count, sum(item["current"] for item in gone))


def _judge_again(session: ExamSession, assessment: Assessment, monitor: SessionMonitor) -> list[dict[str, Any]]:
    """Bring one assessment up to what is left; returns the activities that went."""
    policy = assessment.policy.rules.without(session.muted)
    state, changes = fold_again(session, policy)
    duration_s = watched_s(session, state)
    if monitor.finished_at is not None and session.ended_at is not None:
        state, more = rules.finish(state, session.ended_at.timestamp(), policy)
        changes, duration_s = [*changes, *more], session.duration.total_seconds()
    gone = _fit_rows(assessment, changes)
    write_changes(assessment, changes, policy, {})
    write_state(assessment, policy, state, duration_s=duration_s)
    if assessment.policy_id == session.policy_id:
        monitor.state = state
        monitor.save(update_fields=["state"])
    return gone


def _fit_rows(assessment: Assessment, changes: Iterable[rules.Change]) -> list[dict[str, Any]]:
    """Let rows go that are no longer found, and move those whose beginning is another now; returns what went.

    A live session saw things in the order in which they came, so an activity may begin a little earlier or later than
    it did then: it is the same one as long as the times overlap.
    """
    found = {
        (change.kind, moment_of(change.started_at)): SuspiciousActivity(
            kind=change.kind,
            started_at=moment_of(change.started_at),
            ended_at=None if change.ended_at is None else moment_of(change.ended_at),
        )
        for change in changes
    }
    rows = SuspiciousActivity.objects.filter(assessment=assessment).select_related("evidence")
    unmatched = {row.pk: row for row in rows if found.pop((row.kind, row.started_at), None) is None}
    for pair in overlapping(unmatched.values(), found.values()):
        key = (pair.new.kind, pair.new.started_at)
        if pair.old.pk in unmatched and key in found:
            del unmatched[pair.old.pk], found[key]
            SuspiciousActivity.objects.filter(pk=pair.old.pk).update(started_at=pair.new.started_at)
    return [_remove(row, current=assessment.is_current) for row in unmatched.values()]


def _remove(row: SuspiciousActivity, *, current: bool) -> dict[str, Any]:
    """Delete an activity with its picture; returns what the audit log says of it."""
    decisions = row.decisions.order_by("decided_at").values_list("verdict", "reason", "reviewer__email")
    told = {
        "kind": row.kind,
        "started_at": row.started_at.isoformat(),
        "current": current,
        "decisions": [list(decision) for decision in decisions],
    }
    evidence = getattr(row, "evidence", None)
    # First, and by themselves: some databases would be told to make them decisions on no activity in between.
    row.decisions.all().delete()
    row.delete()
    if evidence is not None:
        storage, name = evidence.file.storage, str(evidence.file.name)
        transaction.on_commit(lambda: delete_unused(storage, name))
    return told
