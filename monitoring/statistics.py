"""Numbers over many sessions: what was found, how risky it looks, how much was examined, what is going on.

Every number is counted by the database, in as many queries for a hundred thousand rows as for one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, Exists, F, FilteredRelation, FloatField, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from exams.kinds import RiskLevel, Severity, kind_label
from exams.models import CodeSubmission, Exam, ExamSession, SessionStatus
from exams.selectors import managed_exams, sat_by
from monitoring.frame_store import frame_store
from monitoring.models import Assessment, MonitoringLog, ReviewDecision, SuspiciousActivity
from monitoring.selectors import HOLDING_VERDICTS, counting, seen_decisions
from monitoring.summary import SENSE_LABELS
from vision.types import Sense

SHOWN = 100
"""Of kinds and of exams, so many are told, the most frequent first: names of kinds come from outside."""

PERCENTILES = (50, 75, 90, 95)
UNDECIDED = "undecided"
UNWATCHED = "unwatched"
WEEK = timedelta(days=7)

Numbers = dict[str, Any]


class UtcDay(TruncDate):
    """The day of a moment in UTC, which needs no tables of time zones in any database."""

    def __init__(self, moment: str) -> None:
        super().__init__(moment, tzinfo=UTC)

    def as_sqlite(self, compiler: Any, connection: Any, **_options: Any) -> Any:
        """Cut the text that the moment is kept as; the general way calls Python for every row."""
        sql, parameters = compiler.compile(self.lhs)
        return f"SUBSTR({sql}, 1, 10)", parameters


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is counted: one kind, a stretch of time, sessions and verdicts as ``to`` is shown them.

    Nothing chosen is everything.
    """

    kind: str = ""
    to: User | None = None
    after: datetime | None = None
    before: datetime | None = None

    def within(self, field: str) -> Q:
        """Return the condition that a moment lies in the stretch of time."""
        begins = Q() if self.after is None else Q(**{f"{field}__gte": self.after})
        return begins if self.before is None else begins & Q(**{f"{field}__lt": self.before})

    def shown(self, field: str) -> Q:
        """Return the condition that a session is no sitting of the reader's own."""
        if self.to is None or self.to.has_role(Role.ADMIN):
            return Q()
        return ~Q(**{f"{field}__in": sat_by(self.to).order_by().values("pk")})


def statistics_of(exams: QuerySet[Exam], chosen: Chosen) -> Numbers:
    """Return what was found in the sessions of these exams: activities by their start, sessions by their making."""
    wanted = chosen.within("created_at") & chosen.shown("pk")
    sessions = ExamSession.objects.filter(wanted, exam__in=exams.order_by().values("pk"))
    if chosen.kind:
        of_kind = SuspiciousActivity.objects.filter(counting(), kind=chosen.kind)
        sessions = sessions.filter(Exists(of_kind.filter(session=OuterRef("pk"))))
    return {"activities": _activities(exams, chosen), **_risk(sessions), "coverage": _coverage(sessions)}


def _counted(exams: QuerySet[Exam], chosen: Chosen, activity: str = "") -> Q:
    """Return the condition for activities that count and are chosen; ``activity`` is put before their columns."""
    wanted: dict[str, Any] = {f"{activity}session__exam__in": exams.order_by().values("pk")}
    if chosen.kind:
        wanted[f"{activity}kind"] = chosen.kind
    shown = chosen.shown(f"{activity}session") & chosen.within(f"{activity}started_at")
    return Q(**wanted) & counting(activity) & shown


def _activities(exams: QuerySet[Exam], chosen: Chosen) -> Numbers:
    """Count by kind, severity and day at once, and by exam; by all four, there would be a group for every row."""
    rows = SuspiciousActivity.objects.filter(_counted(exams, chosen)).order_by()
    groups = list(rows.values("kind", "severity", day=UtcDay("started_at")).annotate(n=Count("pk")))
    by_exam = rows.values(exam=F("session__exam")).annotate(n=Count("pk"))
    kinds, severities, days = (_sums(groups, name) for name in ("kind", "severity", "day"))
    total = sum(kinds.values())
    return {
        "total": total,
        "by_kind": [{"kind": kind, "label": kind_label(kind), "count": n} for kind, n in kinds.items()][:SHOWN],
        "by_severity": [
            {"severity": one.value, "label": one.label, "count": severities.get(one.value, 0)} for one in Severity
        ],
        "by_exam": _exams(_sums(by_exam, "exam")),
        "by_day": [{"day": day, "count": n} for day, n in sorted(days.items())],
        "by_verdict": _verdicts(_counted(exams, chosen, "activity__"), total, seen_decisions(chosen.to)),
    }


def _exams(counts: Mapping[Any, int]) -> list[Numbers]:
    shown = dict(list(counts.items())[:SHOWN])
    named = Exam.objects.in_bulk(list(shown))
    rows = [{"id": key, "code": named[key].code, "title": named[key].title, "count": n} for key, n in shown.items()]
    return sorted(rows, key=lambda row: (-row["count"], row["code"]))


def _sums(rows: Iterable[Mapping[str, Any]], name: str) -> dict[Any, int]:
    """Add up the counts of rows that agree in one column, the largest first."""
    sums: dict[Any, int] = {}
    for row in rows:
        sums[row[name]] = sums.get(row[name], 0) + row["n"]
    return dict(sorted(sums.items(), key=lambda item: (-item[1], str(item[0]))))


def _verdicts(counted: Q, total: int, seen: QuerySet[ReviewDecision]) -> list[Numbers]:
    """Count the verdicts that hold; there are far fewer decisions than activities, so these are asked."""
    later = seen.filter(activity=OuterRef("activity")).filter(
        Q(decided_at__gt=OuterRef("decided_at")) | Q(decided_at=OuterRef("decided_at"), pk__gt=OuterRef("pk"))
    )
    holding = seen.filter(counted, ~Exists(later)).order_by()
    counts = dict(holding.values_list("verdict").annotate(n=Count("pk")))
    known = [
        {"verdict": verdict.value, "label": verdict.label, "count": counts.get(verdict.value, 0)}
        for verdict in HOLDING_VERDICTS
    ]
    undecided = total - sum(row["count"] for row in known)
    return [*known, {"verdict": UNDECIDED, "label": _("not decided yet"), "count": undecided}]


def _risk(sessions: QuerySet[ExamSession]) -> Numbers:
    """Count sessions by level and describe their risk scores; scores are sums of weights, so few differ."""
    watched = sessions.filter(assessments__is_current=True).order_by()
    rows = list(
        watched.values(level=F("assessments__risk_level"), score=F("assessments__risk_score")).annotate(n=Count("pk"))
    )
    levels, scores = _sums(rows, "level"), sorted(_sums(rows, "score").items())
    total, count = sessions.count(), sum(levels.values())
    mean = sum(score * n for score, n in scores) / count if count else None
    return {
        "sessions": {
            "total": total,
            "by_level": [
                *({"level": one.value, "label": one.label, "count": levels.get(one.value, 0)} for one in RiskLevel),
                {"level": UNWATCHED, "label": _("not watched"), "count": total - count},
            ],
        },
        "risk": {
            "mean": None if mean is None else round(mean, 2),
            **{f"p{percent}": percentile(scores, percent) for percent in PERCENTILES},
            "max": scores[-1][0] if scores else None,
        },
    }


def percentile(counts: list[tuple[float, int]], percent: int) -> float | None:
    """Return the smallest value that at least so many percent do not exceed; ``counts`` of values in order."""
    wanted, reached = math.ceil(sum(n for _value, n in counts) * percent / 100), 0
    for value, n in counts:
        reached += n
        if reached >= wanted:
            return value
    return None


def _coverage(sessions: QuerySet[ExamSession]) -> list[Numbers]:
    """Return for each sense the mean share of a session in which it examined something; where it was switched on."""
    current = Assessment.objects.filter(is_current=True, session__in=sessions.order_by().values("pk")).order_by()
    means = current.aggregate(**{str(sense): Avg(Cast(KT(f"coverage__{sense}"), FloatField())) for sense in Sense})
    return [
        {"sense": str(sense), "label": SENSE_LABELS[sense], "mean": None if mean is None else round(mean, 4)}
        for sense, mean in ((sense, means[str(sense)]) for sense in Sense)
    ]


def managed_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions of exams that this user may change: all (admin), those of their own exams (teacher)."""
    if user.has_role(Role.ADMIN):
        return ExamSession.objects.all()
    return ExamSession.objects.filter(exam__in=managed_exams(user).order_by().values("pk"))


def dashboard_of(user: User) -> Numbers:
    """Return what is there and going on in the exams that this user manages; users are counted for admins only."""
    exams, sessions = managed_exams(user), managed_sessions(user)
    logs = MonitoringLog.objects.filter(session__in=sessions.order_by().values("pk"), clearing__isnull=True)
    submissions = CodeSubmission.objects.filter(session__in=sessions.order_by().values("pk"))
    return {
        "users": _users() if user.has_role(Role.ADMIN) else None,
        "exams": exams.count(),
        **_sessions(sessions),
        "activities": _recent(SuspiciousActivity.objects.filter(_counted(exams, Chosen())), "started_at"),
        "logs": _recent(logs, "received_at"),
        "submissions": _recent(submissions, "submitted_at"),
        "waiting": _waiting(sessions),
        "detectors": detectors_here(),
    }


def _users() -> Numbers:
    counts = {
        role.value: Count(
            "pk", filter=Q(groups__name=role) | (Q(is_superuser=True) if role is Role.ADMIN else Q()), distinct=True
        )
        for role in Role
    }
    return User.objects.aggregate(total=Count("pk", distinct=True), **counts)


def _sessions(sessions: QuerySet[ExamSession]) -> Numbers:
    """Count sessions by all that the overview tells of them, in one query."""
    # Reports stand above this room; the database knows them by the name of their relation.
    current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
    told = {"level": F("current__risk_level"), "report_status": F("report__status")}
    grouped = sessions.annotate(current=current).order_by().values("status", "source", **told)
    rows = list(grouped.annotate(n=Count("pk")))
    statuses, levels, reports = _sums(rows, "status"), _sums(rows, "level"), _sums(rows, "report_status")
    live = [row for row in rows if row["source"] == ExamSession.Source.LIVE]
    going_on = (SessionStatus.ACTIVE, SessionStatus.PAUSED)
    return {
        "sessions": {
            "total": sum(statuses.values()),
            "live_now": sum(row["n"] for row in live if row["status"] in going_on),
            "by_status": [
                {"status": one.value, "label": one.label, "count": statuses.get(one.value, 0)} for one in SessionStatus
            ],
            "by_level": [
                *({"level": one.value, "label": one.label, "count": levels.get(one.value, 0)} for one in RiskLevel),
                {"level": UNWATCHED, "label": _("not watched"), "count": levels.get(None, 0)},
            ],
        },
        "reports": {
            **{status: reports.get(status, 0) for status in ("ready", "pending", "failed")},
            "none": reports.get(None, 0),
        },
    }


def _recent(rows: QuerySet[Any], field: str) -> Numbers:
    """Count all rows, those of today in the server's time zone, and those of the last seven days."""
    now = timezone.localtime()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return rows.order_by().aggregate(
        total=Count("pk"),
        today=Count("pk", filter=Q(**{f"{field}__gte": today})),
        last_7_days=Count("pk", filter=Q(**{f"{field}__gte": now - WEEK})),
    )


def _waiting(sessions: QuerySet[ExamSession]) -> Numbers:
    """Return how many pictures and chunks of sound wait to be examined, and of how many sessions."""
    store = frame_store()
    mine = set(sessions.filter(pk__in=list(store.sessions())).values_list("pk", flat=True))
    waiting = [store.waiting(session) for session in mine]
    return {"items": sum(waiting), "sessions": len(waiting)}


def detectors_here() -> list[Numbers]:
    """Return of each sense whether it can work on this machine, with which model, or why not."""
    from vision.loading import availability

    return [
        {
            "sense": str(sense),
            "label": SENSE_LABELS.get(sense, str(sense)),
            "available": found.available,
            "model": found.model,
            "reason": found.reason,
        }
        for sense, found in availability().items()
    ]
