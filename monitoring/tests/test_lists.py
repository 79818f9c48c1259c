"""Long lists are the same rows in the same order, in whichever way the database finds them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.lists import GatheredOrWalked
from accounts.models import Role
from accounts.tests.client import client_of
from monitoring.api_benchmark import rows_for_a_while
from monitoring.benchmark_rows import Rows
from monitoring.models import MonitoringLog
from monitoring.tests.factories import START, make_session, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ALWAYS, NEVER = 0, 1_000_000


@pytest.fixture
def rows() -> Iterator[Rows]:
    with rows_for_a_while(20) as made:
        yield made


def ids(rows: Rows, role: Role, address: str) -> list[object]:
    answer = client_of(rows.people[role]).get(f"/api/v1/{address}")
    assert answer.status_code == 200
    return [answer.json()["count"], *(row["id"] for row in answer.json()["results"])]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.TEACHER, Role.ADMIN])
@pytest.mark.parametrize(
    "address",
    [
        "logs",
        "logs?ordering=occurred_at",
        "logs?event_type=TAB_SWITCH&page=2&page_size=5",
        "activities",
        "activities?ordering=started_at&severity=2",
        "observations?page=2&page_size=7",
        "submissions",
    ],
)
def test_walking_finds_the_same_rows_in_the_same_order_as_gathering(
    rows: Rows, role: Role, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GatheredOrWalked, "MANY_PAGES", ALWAYS)
    walked = ids(rows, role, address)
    monkeypatch.setattr(GatheredOrWalked, "MANY_PAGES", NEVER)

    assert walked == ids(rows, role, address)
    assert len(walked) > 2


def test_a_stranger_sees_nothing_in_either_way(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = make_user(Role.TEACHER)
    for many in (ALWAYS, NEVER):
        monkeypatch.setattr(GatheredOrWalked, "MANY_PAGES", many)
        for address in ("logs", "activities", "observations", "submissions"):
            assert client_of(stranger).get(f"/api/v1/{address}").json()["results"] == []


def test_the_first_pages_of_many_are_walked_to_and_all_others_gathered() -> None:
    gathered, walked = MonitoringLog.objects.order_by("id"), MonitoringLog.objects.order_by("-id")
    session = make_session()
    MonitoringLog.objects.bulk_create(
        MonitoringLog(session=session, event_type="NOTE", source="server", occurred_at=START) for _number in range(500)
    )
    rows = GatheredOrWalked(gathered, lambda: walked)

    assert rows.count() == 500
    assert list(rows[0:5]) == list(walked[0:5])
    assert list(rows[5:10]) == list(gathered[5:10])
