"""What calls of the interface cost, beside bare work in the same run, so that the overhead is a ratio.

Wall-clock times say how long a caller waits, CPU times of this process what a busy machine cannot blur; where the
database is a server, its own work is in the former only.
"""

from __future__ import annotations

import gc
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from django.contrib.auth.hashers import check_password
from django.db import connection, transaction
from django.db.models import Count, Model, Q, QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Candidate, Role, User
from accounts.tokens import issue_tokens
from exams.models import CodeSubmission, Exam, ExamAssignment, ExamSession, Problem
from monitoring.benchmark_rows import PASSWORD, Rows, make_rows
from monitoring.models import MonitoringLog, Observation, SuspiciousActivity

SMALL = (1, 100)
"""So many sessions there are when queries are counted, besides the full number."""

WARM_UP = 3
SIGN_INS = 20
PAGE = 50
LIMIT_MS = 50.0
EVERYTHING = Q()
API = "/api/v1"
LOGIN = f"{API}/auth/login"
# Besides the lists, which the schema names: one session from all sides, and figures over everything.
SINGLES = ("sessions/{id}", "sessions/{id}/summary", "monitoring/stats", "admin/stats")

Step = Callable[[str], None]
Figures = dict[str, Any]
Case = tuple[str, Role]
"""An address of the schema, and who calls it."""


@dataclass(slots=True)
class Times:
    """Milliseconds of one kind of work, call by call."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], Any]) -> None:
        """Do the work and note what it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.cpu.append((time.process_time() - cpu) * 1000)
        self.wall.append((time.perf_counter() - wall) * 1000)

    def figures(self) -> Figures:
        """Return the median, and what 95 of 100 calls stay within."""
        both = {"wall_ms": self.wall, "cpu_ms": self.cpu}
        return {name: {f"p{at}": round(percentile(times, at), 1) for at in (50, 95)} for name, times in both.items()}


class Caller:
    """Calls the interface within this process as the people of the rows, with real tokens."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._client = Client()
        self._tokens = {role: issue_tokens(user=user).access for role, user in rows.people.items()}
        self._places = count(1)

    def get(self, template: str, role: Role) -> Any:
        """Return the answer of an address, in which ``{id}`` is the first exam or the first session."""
        address = template
        for name, thing in (("exams", self.rows.exam), ("sessions", self.rows.session)):
            address = address.replace(f"/{name}/{{id}}", f"/{name}/{thing.pk}")
        return self._client.get(address, headers={"authorization": f"Bearer {self._tokens[role]}"})

    def sign_in(self, email: str, password: str) -> Any:
        """Return the answer to a sign-in from a place where nobody has tried yet, so that no limit is met."""
        place = next(self._places)
        sender = f"198.18.{place // 250}.{place % 250 + 1}"  # a network set apart for measuring
        sent = {"email": email, "password": password}
        return self._client.post(LOGIN, sent, content_type="application/json", REMOTE_ADDR=sender)


def list_addresses() -> list[str]:
    """Return the addresses of all lists, as the schema has them."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return sorted(path for path, calls in paths.items() if _is_list(calls.get("get", {})))


def _is_list(call: Mapping[str, Any]) -> bool:
    return any(parameter["name"] == "page" for parameter in call.get("parameters", ()))


def count_queries(caller: Caller, template: str, role: Role) -> int | None:
    """Return how many queries a call makes; None for a role that may not call or sees nothing there."""
    caller.get(template, role)
    with CaptureQueriesContext(connection) as queries:
        answer = caller.get(template, role)
    if answer.status_code in (403, 404):
        return None
    if answer.status_code != 200:
        raise RuntimeError(f"{template} answers {answer.status_code} to a {role}: {answer.content[:200]!r}")
    return len(queries)


def benchmark_api(*, sessions: int, calls: int, say: Step) -> Figures:
    """Measure lists, statistics and sign-in at so many sessions, and take back every row made for it."""
    with as_deployed():
        cases = [(template, role) for template in (*list_addresses(), *_singles()) for role in Role]
        queries = []
        for size in SMALL:
            say(f"counting queries at {size} sessions")
            with rows_for_a_while(size) as rows:
                queries.append(_count_all(Caller(rows), cases))
        say(f"making {sessions} sessions")
        with rows_for_a_while(sessions) as rows:
            caller = Caller(rows)
            queries.append(_count_all(caller, cases))
            say("calling")
            gc.collect()  # of what making the rows left lying about
            bare = _bare_work(rows)
            allowed = [case for case in cases if queries[-1][case] is not None]
            measured = [_measure(caller, case, bare.get(case[0]), queries, calls) for case in allowed]
            say("signing in")
            sign_in = _measure_sign_in(caller)
    return {
        "database": connection.vendor,
        "sessions": sessions,
        "calls_each": calls,
        "endpoints": measured,
        "slowest_p95_ms": max(one["wall_ms"]["p95"] for one in measured),
        "over_limit": [f"{one['call']} ({one['role']})" for one in measured if one["wall_ms"]["p95"] > LIMIT_MS],
        "queries_grow": [f"{one['call']} ({one['role']})" for one in measured if len(set(one["queries"])) > 1],
        "sign_in": sign_in,
    }


def _singles() -> list[str]:
    return [f"{API}/{path}" for path in SINGLES]


def _count_all(caller: Caller, cases: list[Case]) -> dict[Case, int | None]:
    return {case: count_queries(caller, *case) for case in cases}


def _measure(
    caller: Caller,
    case: Case,
    bare: Callable[[], Any] | None,
    queries: list[dict[Case, int | None]],
    calls: int,
) -> Figures:
    template, role = case
    works: dict[str, Callable[[], Any]] = {"call": lambda: caller.get(template, role)}
    if bare is not None:
        works["bare"] = bare
    times = _in_turn(works, calls)
    halves = {name: percentile(one.wall, 50) for name, one in times.items()}
    return {
        "call": template.removeprefix(f"{API}/"),
        "role": str(role),
        "rows": caller.get(template, role).json().get("count"),
        "queries": [counted[case] for counted in queries],
        **times["call"].figures(),
        "bare_ms": round(halves["bare"], 1) if bare else None,
        "ratio": round(halves["call"] / halves["bare"], 1) if bare else None,
    }


def _in_turn(works: Mapping[str, Callable[[], Any]], calls: int) -> dict[str, Times]:
    """Measure several kinds of work in turn, so that whatever else the machine does disturbs them alike."""
    for work in works.values():
        for _number in range(WARM_UP):
            work()
    times = {name: Times() for name in works}
    for _number in range(calls):
        for name, work in works.items():
            times[name].measure(work)
    return times


def _bare_work(rows: Rows) -> dict[str, Callable[[], Any]]:
    """Return what each address would cost without us: a page of plain rows, their number, and both as JSON."""
    exam, session = Q(exam=rows.exam), Q(session=rows.session)
    by_kind = SuspiciousActivity.objects.order_by().values("kind").annotate(n=Count("pk"))
    by_status = ExamSession.objects.order_by().values("status").annotate(n=Count("pk"))
    tables: dict[str, QuerySet[Any, Any]] = {
        "activities": _plain(SuspiciousActivity),
        "admin/candidates": _plain(Candidate),
        "admin/sessions": _plain(ExamSession),
        "admin/sessions/{id}/events": _plain(MonitoringLog, session),
        "admin/stats": by_status,
        "admin/users": _plain(User),
        "exams": _plain(Exam),
        "exams/{id}/candidates": _plain(ExamAssignment, exam),
        "exams/{id}/problems": _plain(Problem, exam),
        "exams/{id}/reviewers": _plain(User, Q(reviewed_exams=rows.exam)),
        "logs": _plain(MonitoringLog),
        "monitoring/stats": by_kind,
        "observations": _plain(Observation),
        "sessions": _plain(ExamSession),
        "sessions/{id}": _plain(ExamSession, Q(pk=rows.session.pk)),
        "sessions/{id}/activities": _plain(SuspiciousActivity, session),
        "sessions/{id}/logs": _plain(MonitoringLog, session),
        "sessions/{id}/observations": _plain(Observation, session),
        "sessions/{id}/submissions": _plain(CodeSubmission, session),
        "sessions/{id}/summary": _plain(SuspiciousActivity, session),
        "submissions": _plain(CodeSubmission, leave_out="code"),
    }
    return {f"{API}/{path}": _page_of(table) for path, table in tables.items()}


def _plain(model: type[Model], wanted: Q = EVERYTHING, leave_out: str = "") -> QuerySet[Any, Any]:
    names = [one.attname for one in model._meta.concrete_fields if one.attname != leave_out]
    return model._default_manager.filter(wanted).order_by().values(*names)


def _page_of(rows: QuerySet[Any, Any]) -> Callable[[], str]:
    return lambda: json.dumps({"count": rows.count(), "results": list(rows[:PAGE])}, default=str)


def _measure_sign_in(caller: Caller) -> Figures:
    """Compare signing in with the bare password hash, as this deployment has it."""
    user = caller.rows.people[Role.CANDIDATE]
    ways = {
        "right_password": (user.email, PASSWORD),
        "wrong_password": (user.email, f"{PASSWORD}!"),
        "unknown_address": (f"nobody.{user.email}", PASSWORD),
    }
    statuses = [caller.sign_in(*way).status_code for way in ways.values()]
    if statuses != [200, 401, 401]:
        raise RuntimeError(f"Signing in answers {statuses}.")
    works: dict[str, Callable[[], Any]] = {"bare_hash": lambda: check_password(PASSWORD, user.password)}
    works |= {name: partial(caller.sign_in, *way) for name, way in ways.items()}
    times = _in_turn(works, SIGN_INS)
    bare = {name: percentile(getattr(times["bare_hash"], name), 50) for name in ("wall", "cpu")}
    return {"bare_hash": times["bare_hash"].figures()} | {name: _beside(times[name], bare) for name in ways}


def _beside(times: Times, bare: Mapping[str, float]) -> Figures:
    halves = {name: percentile(getattr(times, name), 50) for name in bare}
    return {
        **times.figures(),
        "ratio": round(halves["cpu"] / bare["cpu"], 3),
        "above_hash_wall_ms": round(halves["wall"] - bare["wall"], 1),
        "above_hash_cpu_ms": round(halves["cpu"] - bare["cpu"], 1),
    }


def percentile(times: list[float], percent: int) -> float:
    """Return the smallest time that at least so many percent do not exceed."""
    return sorted(times)[math.ceil(len(times) * percent / 100) - 1]


@contextmanager
def rows_for_a_while(sessions: int, add: Callable[[Rows], None] | None = None) -> Iterator[Rows]:
    """Make rows that nobody else ever sees, ``add`` to them, and take them back whatever happens."""
    try:
        with transaction.atomic():
            rows = make_rows(sessions)
            if add is not None:
                add(rows)
            _look_at_tables()
            try:
                yield rows
            finally:
                transaction.set_rollback(True)
    finally:
        _look_at_tables()


def _look_at_tables() -> None:
    """Let PostgreSQL take stock now, which it does by itself some time after rows come or go."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)")


@contextmanager
def as_deployed() -> Iterator[None]:
    """Answer as a server does that is not under development, to a client that has no other name for it."""
    deployed = override_settings(
        DEBUG=False, ALLOWED_HOSTS=["testserver"], SECURE_SSL_REDIRECT=False, WHITENOISE_AUTOREFRESH=False
    )
    logging.disable(logging.WARNING)  # of refusals, which are measured as well
    get_resolver().url_patterns  # noqa: B018  what stays is frozen, as in proctoring.asgi
    gc.collect()
    gc.freeze()
    try:
        with deployed:
            yield
    finally:
        logging.disable(logging.NOTSET)
        gc.unfreeze()
