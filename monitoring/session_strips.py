"""The narrow rows of a session's timeline: who was in view, the connection, browser events, reviewers' marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, F, IntegerField, JSONField, Q, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.kinds import Kind, kind_label
from exams.models import ExamSession, SessionStatus, SessionTransition
from exams.policy import Thresholds
from monitoring.cues import counted_faces
from monitoring.models import MonitoringLog, Observation, ReviewerNote, Silence
from monitoring.summary import Activity, Decision, offset_in
from monitoring.timeline import Mark, Stretch, Strip, clock
from vision.types import Observation as Facts
from vision.types import Sense

FINEST = 600
"""Events nearer to one another than this part of the session are one mark."""

NAMED = 4
TITLE_LENGTH = 80
LOOKS = ("nobody", "one", "several")
TO_COUNT = -1
IN_VIEW = {
    "nobody": gettext_lazy("Nobody in view, %(start)s – %(end)s"),
    "one": gettext_lazy("One face in view, %(start)s – %(end)s"),
    "several": gettext_lazy("Several faces in view, %(start)s – %(end)s"),
}
LINE = {
    "silent": gettext_lazy("No pictures from the camera, %(start)s – %(end)s"),
    "lost": gettext_lazy("Connection lost, %(start)s – %(end)s"),
    "paused": gettext_lazy("Paused, %(start)s – %(end)s"),
}
SILENCE_LOOKS = {Kind.CAMERA_SILENT.value: "silent", Kind.NETWORK_GAP.value: "lost"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a picture told: seconds into the session, whether it could be examined, who was in view if that was.

    ``apart`` is how far the face was from the enrolled one, where they were compared.
    """

    at: float
    examined: bool
    in_view: str | None
    apart: float | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a session, and what was heard as seconds into it with the facts; both in order of time."""

    moments: tuple[Moment, ...]
    heard: tuple[tuple[float, dict[str, Any]], ...]


def observed_in(session: ExamSession, limits: Thresholds) -> Observed:
    """Return all that was observed, in one query that leaves the facts of most pictures where they are."""
    # Whole numbers and one column of JSON: what a database's driver has to convert for each picture makes a page wait.
    # Where the camera sense is switched off nobody says whether a picture was usable, but faces tell.
    examined = Case(
        When(Q(usable=True) | Q(usable__isnull=True, facts__has_key=str(Sense.FACES)), then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    # Where any face may be a poster, those that count are counted here.
    doubtful = Q(facts__faces__1__isnull=False) | Q(facts__faces__0__alike_s__gte=limits.picture_beside_s)
    faces = Case(
        When(doubtful, then=Value(TO_COUNT)),
        When(facts__faces__0__isnull=False, then=Value(1)),
        When(facts__has_key=str(Sense.FACES), then=Value(0)),
        default=Value(None),
        output_field=IntegerField(),
    )
    told = Case(
        When(doubtful, stream="frame", then=F("facts")),
        When(stream="frame", then=F("facts__identity")),
        When(usable=True, then=F("facts")),
        default=None,
        output_field=JSONField(),
    )
    rows = Observation.objects.filter(session=session).annotate(examined=examined, in_view=faces, told=told)
    began = session.started_at or session.created_at
    moments, sounds = [], []
    columns = ("stream", "captured_at", "examined", "in_view", "told")
    for stream, captured_at, usable, seen, known in rows.order_by("captured_at", "seq").values_list(*columns):
        at = (captured_at - began).total_seconds()
        if stream == "frame":
            moments.append(_moment(at, bool(usable), seen, known or {}, limits))
        elif known:
            sounds.append((at, known))
    return Observed(tuple(moments), tuple(sounds))


def _moment(at: float, examined: bool, seen: int | None, known: dict[str, Any], limits: Thresholds) -> Moment:
    if seen == TO_COUNT:
        seen = counted_faces(Facts.from_facts(known, seq=0, captured_at=at), limits)
        known = known.get("identity") or {}
    look = None if seen is None else LOOKS[min(seen, len(LOOKS) - 1)]
    return Moment(at, examined, look, known.get("distance"))


def presence_strip(moments: Sequence[Moment], *, max_gap_s: float, end_s: float) -> Strip:
    """Return who was in view; a picture stands until the next, for ``max_gap_s`` at most."""
    spans: list[tuple[Stretch, str]] = []
    ends = (*(moment.at for moment in moments[1:]), end_s)
    for moment, next_at in zip(moments, ends, strict=False):
        at, look = moment.at, moment.in_view
        until = min(next_at, at + max_gap_s, end_s)
        if look is None or until <= at:
            continue
        if spans and spans[-1][1] == look and at - spans[-1][0].end_s < 0.001:
            spans[-1] = Stretch(spans[-1][0].start_s, until), look
        else:
            spans.append((Stretch(at, until), look))
    return Strip(_("Faces in view"), tuple(_span(span.start_s, span.end_s, look, IN_VIEW) for span, look in spans))


def _span(start_s: float, end_s: float, look: str, titles: Mapping[str, object]) -> Mark:
    title = str(titles[look]) % {"start": clock(start_s), "end": clock(end_s)}
    return Mark(start_s, end_s, look, title)


def connection_strip(
    session: ExamSession, silences: Iterable[Silence], steps: Iterable[SessionTransition], *, end_s: float
) -> Strip:
    """Return when the camera sent nothing, when the connection was lost and when the session was paused."""

    def at(moment: datetime | None) -> float:
        return end_s if moment is None else offset_in(session, moment)

    spans = [(at(row.started_at), at(row.ended_at), SILENCE_LOOKS[row.kind]) for row in silences]
    spans += [(at(start), at(end), "paused") for start, end in _pauses(steps)]
    return Strip(_("Connection"), tuple(_span(start, end, look, LINE) for start, end, look in sorted(spans)))


def _pauses(steps: Iterable[SessionTransition]) -> Iterator[tuple[datetime, datetime | None]]:
    since: datetime | None = None
    for step in steps:
        if step.to_status == SessionStatus.PAUSED:
            since = since or step.at
        elif since is not None:
            yield since, step.at
            since = None
    if since is not None:
        yield since, None


def events_strip(session: ExamSession, logs: Iterable[MonitoringLog], *, length_s: float) -> Strip:
    """Return what the candidate's side reported; what lies too close together to be told apart is one mark."""
    told = [(offset_in(session, log.occurred_at), kind_label(log.event_type)) for log in logs if not log.is_trusted]
    groups: list[list[tuple[float, str]]] = []
    for at, label in sorted(told):
        if groups and at - groups[-1][0][0] <= length_s / FINEST:
            groups[-1].append((at, label))
        else:
            groups.append([(at, label)])
    return Strip(_("Browser events"), tuple(_events(group) for group in groups))


def _events(group: list[tuple[float, str]]) -> Mark:
    labels = [label for _at, label in group]
    counts = {label: labels.count(label) for label in dict.fromkeys(labels)}
    named = [f"{label} ×{count}" if count > 1 else label for label, count in list(counts.items())[:NAMED]]
    more = ["…"] if len(counts) > NAMED else []
    return Mark(group[0][0], group[-1][0], "event", f"{', '.join(named + more)}, {clock(group[0][0])}")


def marks_strip(
    session: ExamSession, notes: Iterable[ReviewerNote], activities: Iterable[Activity], logs: Iterable[MonitoringLog]
) -> Strip:
    """Return what people left on the session: notes, verdicts that hold, and what proctors reported."""
    marks = [_note(note.at_s, note.text, f"#note-{note.pk}") for note in notes]
    proctored = (log for log in logs if log.source == MonitoringLog.Source.PROCTOR)
    marks += [_note(offset_in(session, log.occurred_at), kind_label(log.event_type), "") for log in proctored]
    marks += [_verdict(item, item.decision) for item in activities if item.decision is not None]
    return Strip(_("Reviewers"), tuple(sorted(marks, key=lambda mark: mark.start_s)))


def _note(at_s: float, text: str, link: str) -> Mark:
    short = text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1] + "…"
    return Mark(at_s, at_s, "note", _("Note at %(at)s: %(text)s") % {"at": clock(at_s), "text": short}, link)


def _verdict(item: Activity, decision: Decision) -> Mark:
    title = f"{item.label}, {item.offset}: {decision.label}"
    return Mark(item.offset_s, item.offset_s, "verdict", title, f"#activity-{item.id}")
