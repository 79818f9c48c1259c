"""A session's answers, version by version, and what changed from one version to another."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce, Length

from exams.models import CodeSubmission, ExamSession

MOST_LINES = 4000
"""Longer texts are not compared line by line: it takes time that grows with the square of their length."""

AROUND = 3


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an answer, without its text."""

    id: UUID
    number: int
    language: str
    length: int
    is_final: bool
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """All versions of the answer to one problem, the earliest first."""

    problem_id: UUID
    problem: str
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison: its numbers before and after (None where it is not there), and how it changed."""

    before: int | None
    after: int | None
    change: str
    text: str


def answer_counts() -> dict[str, Any]:
    """Return annotations for sessions: of how many problems there are answers, and how many versions in all."""
    kept = CodeSubmission.objects.filter(session=OuterRef("pk")).order_by().values("session")
    return {
        name: Coalesce(Subquery(kept.annotate(n=counted).values("n"), output_field=IntegerField()), 0)
        for name, counted in (
            ("answered", Count("problem", distinct=True)),
            ("versions", Count("pk")),
        )
    }


def answers_of(session: ExamSession) -> list[Answer]:
    """Return the answers of a session in the order of its problems, in one query and without their texts."""
    rows = CodeSubmission.objects.filter(session=session).select_related("problem").defer("code", "problem__statement")
    found: dict[UUID, tuple[str, list[Version]]] = {}
    for row in rows.annotate(length=Length("code")).order_by("problem__number", "version"):
        versions = found.setdefault(row.problem_id, (str(row.problem), []))[1]
        versions.append(Version(row.pk, row.version, row.language, row.length, row.is_final, row.submitted_at))
    return [Answer(problem, title, tuple(versions)) for problem, (title, versions) in found.items()]


def code_of(session: ExamSession, version_id: UUID) -> str:
    """Return the text of one version of this session."""
    return str(CodeSubmission.objects.values_list("code", flat=True).get(session=session, pk=version_id))


def is_too_long(*texts: str) -> bool:
    """Say whether these are too long to be compared while somebody waits."""
    return sum(len(text.splitlines()) for text in texts) > MOST_LINES


def compare(before: str, after: str) -> list[list[Line]]:
    """Return what changed as groups of lines, each with a few unchanged ones around it; empty where nothing did."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new)
    return [
        [line for step in group for line in _lines(old, new, *step)] for group in matcher.get_grouped_opcodes(AROUND)
    ]


def whole(text: str) -> list[list[Line]]:
    """Return a text as one group of lines, for a first version."""
    return [[Line(None, number, "added", line) for number, line in enumerate(text.splitlines(), start=1)]]


def _lines(
    old: Sequence[str], new: Sequence[str], tag: str, old_from: int, old_to: int, new_from: int, new_to: int
) -> list[Line]:
    if tag == "equal":
        both = zip(range(old_from, old_to), range(new_from, new_to), strict=True)
        return [Line(a + 1, b + 1, "same", new[b]) for a, b in both]
    gone = [Line(at + 1, None, "removed", old[at]) for at in range(old_from, old_to)]
    return gone + [Line(None, at + 1, "added", new[at]) for at in range(new_from, new_to)]
