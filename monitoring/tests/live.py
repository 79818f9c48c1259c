"""A session that runs now, and a clock for it: all times are seconds after a moment of this very day."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from exams.services import add_policy_version, create_session
from monitoring import presence, services
from monitoring.models import SessionMonitor, Silence, SuspiciousActivity
from monitoring.tests.factories import facts, make_candidate, make_exam, watch


class Live:
    """An active session that began 60 seconds before moment 0."""

    def __init__(self, *, policy: dict[str, Any] | None = None, **fields: Any) -> None:
        # What is sent in a test is examined in it, so moment 0 is now: silences are looked for in the time to come.
        self.zero = timezone.now().replace(microsecond=0)
        exam = make_exam()
        if policy:
            add_policy_version(exam=exam, settings=policy)
        session = create_session(exam=exam, candidate=make_candidate(), created_at=self.time(-70), **fields)
        self.session = move_session(session=session, to=SessionStatus.ACTIVE, at=self.time(-60))
        services.open_monitor(session=self.session)
        SessionMonitor.objects.update(silence_due_at=self.time(-60))

    def time(self, at: float) -> datetime:
        """Return the moment as a time."""
        return self.zero + timedelta(seconds=at)

    def send(self, *moments: float, **seen: Any) -> list[SuspiciousActivity]:
        """Have pictures of these moments examined."""
        base = self.zero.timestamp()
        shown = [replace(facts(at + 1000, **seen), captured_at=base + at) for at in moments]
        return watch(self.session, *shown)

    def live(self, *moments: float) -> None:
        """Give a sign of life at these moments."""
        for at in moments:
            presence.seen(self.session.pk, now=self.time(at))

    def beat(self, *moments: float) -> None:
        """Look for silences at these moments, as the beat does."""
        for at in moments:
            presence.watch_silence(now=self.time(at))

    def step(self, to: SessionStatus, at: float) -> None:
        """Take a step of the life-cycle."""
        move_session(session=ExamSession.objects.get(pk=self.session.pk), to=to, at=self.time(at))

    def spans(self) -> list[tuple[str, float, float | None]]:
        """Return kind, beginning and end of what is kept, which activities must say as well."""
        kept = self._spans(Silence.objects.filter(session=self.session))
        shown = SuspiciousActivity.objects.filter(session=self.session, kind__in=[kind.value for kind in Silence.KINDS])
        assert self._spans(shown) == kept
        return kept

    def _spans(self, rows: Any) -> list[tuple[str, float, float | None]]:
        values = rows.order_by("started_at", "kind").values_list("kind", "started_at", "ended_at")
        return [(kind, self._at(start), end and self._at(end)) for kind, start, end in values]

    def _at(self, time: datetime) -> float:
        return round((time - self.zero).total_seconds(), 3)
