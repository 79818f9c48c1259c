"""What the rules found in some sessions at one moment: written down, scored and told, for all of them together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from exams.models import ExamSession
from monitoring import meters, news, rules
from monitoring.models import Assessment, SessionMonitor, SuspiciousActivity
from monitoring.store import Exhibit, Told, write_states, write_told


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one session, whose monitor's row the caller has locked; pictures by number.

    ``missing`` says why senses could not work, and ``detectors`` by which models the others did, where that was looked
    into. The candidate knows what they ``reported``.
    """

    monitor: SessionMonitor
    changes: Sequence[rules.Change]
    pictures: Mapping[int, Exhibit] = field(default_factory=dict)
    missing: Mapping[str, str] | None = None
    detectors: Mapping[str, str] | None = None
    reported: bool = False


def write_found(found: Found) -> list[SuspiciousActivity]:
    """Write changes of one session and score; returns the activities that changed."""
    return write_all_found([found])


def write_all_found(found: Sequence[Found]) -> list[SuspiciousActivity]:
    """Write changes of several sessions and score each, in as many queries as for one; returns what changed."""
    if not found:
        return []
    assessments = _assessments_of([one.monitor for one in found])
    told, before = [], []
    for one in found:
        assessment = assessments[one.monitor.pk]
        before.append(news.scores_of(assessment))
        if one.missing is not None:
            assessment.missing_detectors, assessment.detectors = dict(one.missing), dict(one.detectors or {})
        told.append(Told(assessment, one.changes, one.monitor.session.rules, one.pictures))
    written = write_told(told)
    activities = [activity for each in written.activities for activity in each]
    transaction.on_commit(lambda: meters.count_begun(activities))
    write_states(written, [(one.monitor.state, watched_s(one.monitor.session, one.monitor.state)) for one in found])
    news.tell_all_found(
        [
            news.News(one.monitor, each.assessment, changed, scores, reported=one.reported)
            for one, each, changed, scores in zip(found, told, written.activities, before, strict=True)
        ]
    )
    return activities


def watched_s(session: ExamSession, state: rules.State) -> float:
    """Return seconds on the clock up to the last moment known: an open session is not blamed for the time to come."""
    last_at = rules.reached(state)
    if session.started_at is None or last_at is None:
        return 0.0
    return max(0.0, float(last_at) - session.started_at.timestamp() - session.paused_seconds)


def _assessments_of(monitors: Sequence[SessionMonitor]) -> dict[uuid.UUID, Assessment]:
    """Return by session the assessment under the policy that it is sat under."""
    policies = {monitor.pk: monitor.session.policy_id for monitor in monitors}
    rows = Assessment.objects.filter(session__in=policies, policy__in=set(policies.values())).order_by()
    return {row.session_id: row for row in rows if row.policy_id == policies[row.session_id]}
