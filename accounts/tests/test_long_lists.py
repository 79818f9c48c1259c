"""Long lists of the admin: the same rows in the same order, and their dates, for less."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import timezone

from accounts.admin_lists import Dated, Kind, LongListAdmin
from accounts.models import AuditEvent, Candidate, Role
from exams.models import ExamAssignment
from monitoring.tests.factories import make_candidate, make_exam, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ADDRESS = "/admin/accounts/auditevent/"
TIMES = [
    datetime(2024, 12, 31, 23, 30, tzinfo=UTC),
    datetime(2025, 3, 1, tzinfo=UTC),
    datetime(2025, 3, 1, 18, 45, tzinfo=UTC),
    datetime(2025, 3, 31, 20, tzinfo=UTC),
    datetime(2025, 8, 9, 5, tzinfo=UTC),
]


def events(times: list[datetime] = TIMES) -> Any:
    AuditEvent.objects.all().delete()
    AuditEvent.objects.bulk_create(AuditEvent(action="registered", at=at) for at in times)
    return AuditEvent.objects.all()


def beginning(moment: datetime, kind: Kind) -> date:
    """Return the date on which the day, month or year of a moment began where the reader is."""
    day = timezone.localtime(moment).date()
    return day if kind == "day" else day.replace(day=1) if kind == "month" else day.replace(month=1, day=1)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Dhaka", "America/New_York"])
@pytest.mark.parametrize("kind", ["year", "month", "day"])
def test_it_finds_the_dates_as_the_reader_counts_them(kind: Kind, zone: str) -> None:
    rows = events()
    with timezone.override(zone):
        if kind == "day":
            march, april = (timezone.make_aware(datetime(2025, month, 1)) for month in (3, 4))  # noqa: DTZ001
            rows = rows.filter(at__gte=march, at__lt=april)
        times = rows.values_list("at", flat=True)
        assert [one.date() for one in Dated(rows).datetimes("at", kind)] == sorted(
            {beginning(at, kind) for at in times}
        )
    assert times


def test_times_that_no_clock_ever_had_break_nothing() -> None:
    rows = events([datetime(1900, 5, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC)])
    assert [one.year for one in Dated(rows).datetimes("at", "year")] == [1900, 2025]
    rows = events([datetime(9999, 6, 1, tzinfo=UTC)])
    assert [one.year for one in Dated(rows).datetimes("at", "year")] == [9999]
    assert Dated(rows.none()).datetimes("at", "month") == []


def test_a_page_holds_the_rows_in_their_order(client: Any) -> None:
    client.force_login(make_user(Role.ADMIN))
    rows = events([datetime(2025, 1, 1 + number % 28, number % 24, tzinfo=UTC) for number in range(130)])
    for query, expected in (("", rows.order_by("-at", "-id")[:100]), ("?p=2", rows.order_by("-at", "-id")[100:])):
        page = client.get(f"{ADDRESS}{query}")
        assert list(page.context["cl"].result_list) == list(expected)
    backwards = client.get(f"{ADDRESS}?o=0").context["cl"].result_list  # the first column, upwards
    assert [row.at for row in backwards] == [row.at for row in rows.order_by("at")[:100]]


def test_dates_are_offered_but_not_to_who_searches_all_of_them(client: Any) -> None:
    client.force_login(make_user(Role.ADMIN))
    events()
    assert "?at__year=2025" in client.get(ADDRESS).content.decode()
    months = client.get(f"{ADDRESS}?at__year=2025").content.decode()
    assert all(f"at__month={month}&" in months.replace("&amp;", "&") for month in (3, 8))
    assert "at__month=5" not in months
    assert "at__year=2024" not in client.get(f"{ADDRESS}?q=registered").content.decode()
    assert "All dates" in client.get(f"{ADDRESS}?q=registered&at__year=2025").content.decode()


def test_what_is_listed_long_is_not_counted_twice() -> None:
    own = admin.site.get_model_admin(AuditEvent)
    request = RequestFactory().get(ADDRESS)
    request.user = make_user(Role.ADMIN)
    assert own.get_changelist_instance(request).full_result_count is None


@pytest.mark.parametrize(
    "term",
    ["anna", "ANNA example.com", "algebra", "anna algebra", '"anna b"', "'b' registered", '"', "100%_", "\\", "nobody"],
)
def test_a_search_finds_what_djangos_own_finds(term: str) -> None:
    people = [make_candidate(f"{name}@example.com", full_name=f"Anna {name}") for name in ("anna", "b", "100%_")]
    for number, candidate in enumerate(people):
        exam = make_exam(code=f"EXAM-{number}", title="Algebra" if number else "Anna's 100%_ test")
        ExamAssignment.objects.create(exam=exam, candidate=candidate)
        AuditEvent.objects.create(action="registered", actor=exam.owner, subject=candidate.user)
    for model in (Candidate, AuditEvent, ExamAssignment):
        own, request = admin.site.get_model_admin(model), RequestFactory().get("/")
        assert isinstance(own, LongListAdmin)
        found, doubled = own.get_search_results(request, model.objects.all(), term)
        djangos = admin.ModelAdmin.get_search_results(own, request, model.objects.all(), term)[0]
        assert set(found) == set(djangos)
        assert doubled is False
        assert found.count() == len(set(found))
