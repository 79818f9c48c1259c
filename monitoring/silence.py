"""When a running session sends no pictures, or nothing at all: how that is judged, and the spans that are kept of it.

A client that lives and sends no pictures is CAMERA_SILENT. One that gives no sign of life has lost its connection,
NETWORK_GAP, and is accused of nothing. Callers hold the session's monitor row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db.models import Q, QuerySet
from django.utils import timezone

from exams.kinds import Kind
from exams.models import ExamSession
from exams.policy import Policy
from monitoring.models import SessionMonitor, Silence, SuspiciousActivity
from monitoring.rules import Change
from monitoring.selectors import pauses_of
from vision.types import SOUND_SENSES, Sense

CONNECTED_S = 15.0
"""For so long after its last sign of life a client is taken to be there; clients give one every 10 seconds."""

LOOK_EVERY = timedelta(seconds=5)
SHORTEST_GAP_S = 0.001
CAMERA_SENSES = frozenset(Sense) - SOUND_SENSES

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a running session: ``seen_at`` its last sign of life, ``since`` when both were due at last.

    ``picture_at`` is the capture of the newest picture, ``examined_at`` when pictures were last looked at, ``until``
    when the time is up, after which no pictures are due.
    """

    since: datetime
    seen_at: datetime | None = None
    picture_at: datetime | None = None
    examined_at: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """From when on the connection is lost, or the camera silent (None: it is not), and when to look again."""

    lost_since: datetime | None
    silent_since: datetime | None
    look_again_at: datetime


def judge(signs: Signs, policy: Policy, now: datetime) -> Verdict:
    """Say whether the client is lost, or alive without pictures for longer than the policy waits; pure.

    Silent is only a camera whose client was heard of that long *after* the last picture: a line that fails takes the
    pictures away first and its last sign of life a little later.
    """
    patience = timedelta(seconds=policy.silent_after_s)
    lost_after = timedelta(seconds=lost_after_s(policy))
    alive_at = latest(signs.since, signs.seen_at, earliest(signs.picture_at, now))
    due_from = latest(signs.since, signs.picture_at)
    heard_at = latest(due_from, signs.examined_at)
    lost = now - alive_at >= lost_after
    due_until = alive_at if signs.until is None else min(alive_at, signs.until)
    silent = not lost and wants_pictures(policy) and due_until - heard_at >= patience
    deadlines = [alive_at + lost_after] + ([heard_at + patience] if wants_pictures(policy) else [])
    return Verdict(
        lost_since=alive_at if lost else None,
        silent_since=due_from if silent else None,
        look_again_at=max(min(deadlines), now + LOOK_EVERY),
    )


def lost_after_s(policy: Policy) -> float:
    """Return after how many seconds without any sign of life the connection is lost."""
    return max(CONNECTED_S, policy.silent_after_s)


def wants_pictures(policy: Policy) -> bool:
    """Say whether the policy has anything examined that needs a camera, and minds its silence."""
    return policy.rule(Kind.CAMERA_SILENT).enabled and bool(CAMERA_SENSES & set(policy.senses))


def cut(start: datetime, end: datetime | None, seen: Iterable[datetime], shortest: timedelta) -> list[Span]:
    """Return what is left of a silence when something was seen after all, without what is shorter than ``shortest``.

    A silence that goes on (``end`` None) is over with the first that was seen in it.
    """
    inside = sorted(at for at in seen if start <= at and (end is None or at < end))
    edges = [start, *inside, *([] if end is None else [end])]
    return [(a, b) for a, b in pairwise(edges) if b - a >= shortest]


def latest(first: datetime, *others: datetime | None) -> datetime:
    """Return the latest of the times that are known."""
    return max([first, *(at for at in others if at is not None)])


def earliest(at: datetime | None, now: datetime) -> datetime | None:
    """Return a time that may lie ahead of the server's clock as at most now."""
    return None if at is None else min(at, now)


def due_since(session: ExamSession) -> datetime:
    """Return since when signs of an active session are due: its start, the end of a pause, or of the last silence."""
    resumed = [end for _start, end in pauses_of(session)]
    silences = Silence.objects.filter(session=session, ended_at__isnull=False)
    return latest(session.started_at or session.created_at, *resumed, *silences.values_list("ended_at", flat=True))


def open_silences(session: ExamSession, *kinds: str) -> list[Silence]:
    """Return the silences that go on, of these kinds or of all."""
    rows = Silence.objects.filter(session=session, ended_at__isnull=True)
    return _of(session, rows.filter(kind__in=kinds) if kinds else rows)


def _of(session: ExamSession, rows: QuerySet[Silence]) -> list[Silence]:
    found = list(rows)
    for row in found:
        row.session = session  # with its policy, as it was read under the lock
    return found


def begin(session: ExamSession, kind: str, start: datetime, end: datetime | None = None) -> list[Change]:
    """Keep a silence, one open per kind; returns what is to be written as an activity."""
    if end is None and open_silences(session, kind):
        return []
    row = Silence.objects.create(session=session, kind=kind, started_at=start, ended_at=end)
    return [change_of(row)]


def note_pictures(session: ExamSession, policy: Policy, captured: Sequence[datetime]) -> tuple[list[Change], bool]:
    """Take from the camera's silences what pictures now show, however late they came; says whether any is broken."""
    rows = Silence.objects.filter(session=session, kind=Kind.CAMERA_SILENT)
    rows = rows.filter(started_at__lte=max(captured)).exclude(ended_at__lte=min(captured))
    silences = _of(session, rows)
    return [change for row in silences for change in shorten(row, policy, captured)], bool(silences)


def end_all(session: ExamSession, policy: Policy, at: datetime) -> list[Change]:
    """End what goes on, because the session stands still or is over; a gap may have ended after it was over."""
    rows = _of(session, Silence.objects.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=at), session=session))
    for row in rows:
        row.ended_at = None
    return [change for row in rows for change in shorten(row, policy, [max(at, row.started_at)])]


def shorten(row: Silence, policy: Policy, seen: Iterable[datetime]) -> list[Change]:
    """Keep of a silence what is left of it beside what was seen; if nothing is, it is withdrawn with its activity.

    What a reviewer has judged is never withdrawn: it ends where something was seen.
    """
    camera = row.kind == Kind.CAMERA_SILENT
    shortest = timedelta(seconds=policy.silent_after_s if camera else SHORTEST_GAP_S)
    seen = sorted(at for at in seen if row.started_at <= at)
    spans = cut(row.started_at, row.ended_at, seen, shortest)
    activity = _activity_of(row)
    if spans == [(row.started_at, row.ended_at)] or not seen:
        return []
    if not spans and activity is not None and activity.decisions.exists():
        spans = [(row.started_at, max(seen[0], row.started_at + timedelta(seconds=1)))]
    if not spans:
        if activity is not None:
            activity.delete()
        row.delete()
        return []
    return _keep(row, activity, spans)


def _keep(row: Silence, activity: SuspiciousActivity | None, spans: list[Span]) -> list[Change]:
    (start, end), *others = spans
    if activity is not None and start != row.started_at:
        SuspiciousActivity.objects.filter(pk=activity.pk).update(started_at=start, ended_at=end)
    row.started_at, row.ended_at = start, end
    row.save(update_fields=["started_at", "ended_at"])
    session = row.session
    return [change_of(row), *(change for span in others for change in begin(session, row.kind, *span))]


def _activity_of(row: Silence) -> SuspiciousActivity | None:
    session = row.session
    rows = SuspiciousActivity.objects.filter(session=session, kind=row.kind, started_at=row.started_at)
    return rows.filter(assessment__policy=session.policy_id).first()


def change_of(row: Silence) -> Change:
    """Return a silence as what the rules say of an activity; nobody looked, so there is no picture and no doubt."""
    started_at = row.started_at.timestamp()
    return Change(
        action="open" if row.ended_at is None else "close",
        kind=row.kind,
        started_at=started_at,
        ended_at=None if row.ended_at is None else row.ended_at.timestamp(),
        confidence=1.0,
        positives=1,
        examined=1,
        seq=-1,
        best=False,
        best_at=started_at,
    )


def silences_again(session: ExamSession, policy: Policy) -> list[Change]:
    """Return the silences of a session as another policy sees them: kinds it wants, and no shorter than it waits."""
    shortest = timedelta(seconds=policy.silent_after_s)
    wanted = {Kind.CAMERA_SILENT: wants_pictures(policy), Kind.NETWORK_GAP: policy.rule(Kind.NETWORK_GAP).enabled}
    return [
        change_of(row)
        for row in Silence.objects.filter(session=session)
        if wanted[Kind(row.kind)]
        and (row.kind == Kind.NETWORK_GAP or row.ended_at is None or row.ended_at - row.started_at >= shortest)
    ]


def is_known_gap(session: ExamSession, start: datetime, end: datetime) -> bool:
    """Say whether the server noticed a lost connection itself that shares time with what a client reports."""
    gaps = Silence.objects.filter(session=session, kind=Kind.NETWORK_GAP, started_at__lte=end)
    return gaps.exclude(ended_at__lt=start).exists()


def is_connected(monitor: SessionMonitor, *, now: datetime | None = None) -> bool:
    """Say whether the client gave a sign of life in the last 15 seconds and has not closed its connection since."""
    seen_at, gone_at = monitor.last_seen_at, monitor.gone_at
    if seen_at is None or (gone_at is not None and gone_at >= seen_at):
        return False
    return ((now or timezone.now()) - seen_at).total_seconds() <= CONNECTED_S


def signs_of(monitor: SessionMonitor, since: datetime) -> Signs:
    """Return the signs in a monitor's row."""
    seen_at, picture_at, examined_at = monitor.last_seen_at, monitor.last_frame_at, monitor.pictures_at
    return Signs(since, seen_at, picture_at, examined_at, until=monitor.session.deadline_at)
