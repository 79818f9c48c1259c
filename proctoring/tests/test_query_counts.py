"""A list of many rows takes as many queries as a list of one: whatever list there is, whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from accounts.models import Role
from monitoring.api_benchmark import API, SINGLES, Caller, Case, count_queries, list_addresses, rows_for_a_while

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MANY = 25
# Written by hand, for whoever needs the most: two for who calls and what they may, one for how many rows there are, one
# or two for a page, and one for each kind of thing that belongs to its rows.
MOST_QUERIES = {
    "activities": 5,
    "admin/candidates": 5,
    "admin/sessions": 7,
    "admin/sessions/{id}/events": 7,
    "admin/users": 5,
    "exams": 5,
    "exams/{id}/candidates": 6,
    "exams/{id}/problems": 7,
    "exams/{id}/reviewers": 5,
    "logs": 5,
    "observations": 5,
    "sessions": 6,
    "sessions/{id}/activities": 6,
    "sessions/{id}/logs": 6,
    "sessions/{id}/observations": 6,
    "sessions/{id}/submissions": 5,
    "submissions": 5,
    # No lists, but they add up any number of rows.
    "admin/stats": 8,
    "monitoring/stats": 9,
    "sessions/{id}": 6,
    "sessions/{id}/summary": 11,
}
CANDIDATES_READ = {
    "exams",
    "exams/{id}/problems",
    "sessions",
    "sessions/{id}",
    "sessions/{id}/activities",
    "sessions/{id}/logs",
    "sessions/{id}/submissions",
    "sessions/{id}/summary",
}
ADMINS_READ = {"admin/users"}


@dataclass(frozen=True)
class Found:
    """What a call took, and the rows on its page."""

    queries: int
    rows: int
    is_list: bool


def cases() -> list[Case]:
    """Return every address (without what all begin with) and every role that reads it."""
    teachers_read = MOST_QUERIES.keys() - ADMINS_READ
    read = {
        Role.CANDIDATE: CANDIDATES_READ,
        Role.REVIEWER: {path for path in teachers_read if not path.startswith("admin/")},
        Role.TEACHER: teachers_read,
        Role.ADMIN: MOST_QUERIES.keys(),
    }
    return [(path, role) for role, paths in read.items() for path in sorted(paths)]


def read_all(sessions: int) -> dict[Case, Found]:
    """Call everything with so many sessions in the database."""
    with rows_for_a_while(sessions) as rows:
        caller = Caller(rows)
        return {(path, role): read(caller, f"{API}/{path}", role) for path, role in cases()}


def read(caller: Caller, address: str, role: Role) -> Found:
    queries = count_queries(caller, address, role)
    assert queries is not None, f"a {role} may not read {address}"
    answer = caller.get(address, role).json()
    return Found(queries, len(answer.get("results", ())), is_list="results" in answer)


def test_every_list_and_every_sum_has_a_bound() -> None:
    assert {f"{API}/{path}" for path in MOST_QUERIES} == {*list_addresses(), *(f"{API}/{path}" for path in SINGLES)}


def test_many_rows_take_as_many_queries_as_one_and_no_more_than_written_here() -> None:
    few, many = read_all(1), read_all(MANY)

    grown = {case: (few[case].queries, many[case].queries) for case in many if few[case].queries != many[case].queries}
    assert grown == {}
    too_many = {case: found.queries for case, found in many.items() if found.queries > MOST_QUERIES[case[0]]}
    assert too_many == {}
    not_longer = [case for case in many if many[case].is_list and not 0 < few[case].rows < many[case].rows]
    assert not_longer == [], "lists of the same length cannot show that queries do not grow"
