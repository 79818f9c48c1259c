"""What another policy would make of sessions that were held already."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from exams.models import ProctoringPolicy
from exams.policy import parse_policy
from exams.policy_form import PolicyForm
from exams.services import add_policy_version
from exams.tests.test_policy_changes import sent
from monitoring import services, what_if
from monitoring.models import Assessment, MonitoringLog, Observation, ReviewDecision, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.retention import remove_evidence
from monitoring.review import decide_activity, decide_session
from monitoring.scored_again import opens_the_same
from monitoring.tests.factories import (
    START,
    end_session,
    facts,
    make_candidate,
    make_exam,
    make_session,
    make_user,
    watch,
)
from monitoring.tests.test_admin import MAY, sign_in
from monitoring.what_if import agreement, try_policy

pytestmark = pytest.mark.django_db
LIST = "/admin/exams/proctoringpolicy/"


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def turned_session(exam, *, at=0, candidate=None, events=()):
    """Turned by 40 degrees for ten seconds, an empty seat for ten: two activities, risk 4; and what is reported."""
    session = make_session(exam, candidate)
    stream = [facts(at) for at in range(10)]
    stream += [facts(at, yaw=40) for at in range(10, 20)]
    stream += [facts(at, faces=0, objects={}) for at in range(20, 30)]
    watch(session, *stream, *(facts(at) for at in range(30, 40)))
    report(session, events)
    MonitoringLog.objects.filter(session=session).update(received_at=START)
    end_session(session, 40 + at)
    session.refresh_from_db()
    return session


def report(session, events):
    for event, severity in events:
        services.record_event(
            session_id=session.pk, event_type=event, severity=severity, source="server", occurred_at=START
        )


@pytest.fixture
def session(exam):
    return turned_session(exam)


@pytest.fixture
def reviewer():
    return make_user(Role.REVIEWER)


def judge(session, reviewer, outcome="", **verdicts):
    for kind, verdict in verdicts.items():
        activity = SuspiciousActivity.objects.get(session=session, kind=kind, assessment__is_current=True)
        decide_activity(activity=activity, verdict=verdict, reason="Seen.", reviewer=reviewer)
    if outcome:
        decide_session(session=session, outcome=outcome, reason="Seen.", reviewer=reviewer)


def page(exam):
    return reverse("admin:exams_proctoringpolicy_what_if", args=[exam.pk])


def filled(exam, **changes):
    newest = exam.current_policy
    return sent(PolicyForm(newest.rules, newest.version), **changes)


@pytest.mark.database
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"thresholds": {"head_yaw": 50}},
        {"kinds": {"NO_FACE": {"weight": 9, "severity": 3}}},
        {"kinds": {"LOOKING_AWAY": {"hold": 20, "of": 20, "window_s": 60}}},
        {"senses": ["head"]},
        {"unknown_kind": {"weight": 5}, "kinds": {"TAB_SWITCH": {"severity": 2}}, "kind_cap": 1},
        {"kinds": {"TAB_SWITCH": {"enabled": False}}},
        {"max_gap_s": 1, "silent_after_s": 30},
    ],
)
def test_it_says_what_rescoring_would_write(exam, settings, late):
    events = (("TAB_SWITCH", None), ("WHISTLE", None), ("COPY", 3))
    session = turned_session(exam, events=events)
    if late:
        report(session, [("PASTE", None)])
    [tried] = try_policy(exam=exam, policy=parse_policy(settings)).tried
    policy, _new = add_policy_version(exam=exam, settings={**settings, "trust_zero_risk": 21})
    written = rescore_session(session=session, policy=policy)
    assert (tried.risk_before, tried.level_before) == (written.risk_before, written.level_before)
    assert (tried.risk_after, tried.level_after) == (written.risk_after, written.level_after)
    assert sum(tried.kinds_after.values()) == written.activities_after


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"high_from": 20, "medium_from": 3, "kind_cap": 1, "trust_zero_risk": 9}, True),
        ({"kinds": {"PHONE": {"weight": 0, "severity": 1}, "WHISTLE": {"weight": 8}}}, True),
        ({"candidate_may_pause": True, "objects_every_s": 1, "identity_every_s": 1}, True),
        ({"kinds": {"PHONE": {"hold": 3}}}, False),
        ({"kinds": {"WHISTLE": {"cooldown_s": 8}}}, False),
        ({"kinds": {"PHONE": {"enabled": False}}}, False),
        ({"unknown_kind": {"enabled": False}}, False),
        ({"thresholds": {"head_yaw": 26}}, False),
        ({"senses": ["faces"]}, False),
        ({"max_gap_s": 6}, False),
        ({"silent_after_s": 21}, False),
    ],
)
def test_it_knows_which_settings_have_a_part_in_finding_activities(settings, same):
    assert opens_the_same(parse_policy({}), parse_policy(settings)) is same


def test_it_needs_no_observations_where_activities_are_only_weighed_otherwise(exam, session):
    Observation.objects.filter(session=session).delete()
    [tried] = try_policy(exam=exam, policy=parse_policy({"kinds": {"NO_FACE": {"weight": 5}}})).tried
    assert (tried.risk_before, tried.risk_after) == (4, 7)
    [tried] = try_policy(exam=exam, policy=parse_policy({"thresholds": {"head_yaw": 30}})).tried
    assert tried.risk_after == 0


@pytest.mark.database
def test_it_writes_nothing(exam, session):
    tables = (Assessment, SuspiciousActivity, ReviewDecision, Observation, ProctoringPolicy)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    assert try_policy(exam=exam, policy=parse_policy({"high_from": 6, "medium_from": 1})).changed
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


@pytest.mark.database
def test_it_tells_which_sessions_and_kinds_would_change(exam, session):
    quiet = make_session(exam, ended_after_s=5)
    result = try_policy(exam=exam, policy=parse_policy({"medium_from": 2, "thresholds": {"head_yaw": 50}}))
    assert [one.session for one in result.changed] == [session]
    assert {one.session for one in result.tried} == {session, quiet}
    assert dict(result.moves) == {
        "Low": [("Low", 1), ("Medium", 1), ("High", 0)],
        "Medium": [("Low", 0), ("Medium", 0), ("High", 0)],
        "High": [("Low", 0), ("Medium", 0), ("High", 0)],
    }
    assert result.kinds == [("Looking away", 1, 0)]


@pytest.mark.database
def test_it_compares_with_what_people_decided(exam, reviewer):
    for verdict, outcome in (("dismissed", "clear"), ("dismissed", "clear"), ("confirmed", "violation")):
        judge(turned_session(exam), reviewer, outcome, LOOKING_AWAY=verdict, NO_FACE="confirmed")
    result = try_policy(exam=exam, policy=parse_policy({"thresholds": {"head_yaw": 50}, "medium_from": 2}))
    before, after = result.activities.before, result.activities.after
    assert (before.precision.hits, before.precision.n) == (4, 6)
    assert (before.recall.hits, before.recall.n) == (4, 4)
    assert (after.precision.hits, after.precision.n) == (3, 3)
    assert (after.recall.hits, after.recall.n) == (3, 4)
    sessions = result.sessions
    assert (sessions.before.recall.hits, sessions.before.recall.n, sessions.before.precision.n) == (0, 1, 0)
    assert (sessions.after.recall.hits, sessions.after.recall.n) == (1, 1)
    assert (sessions.after.precision.hits, sessions.after.precision.n) == (1, 3)


@pytest.mark.database
def test_it_counts_the_verdict_that_holds_and_leaves_out_what_nobody_decided(exam, session, reviewer):
    judge(session, reviewer, LOOKING_AWAY="confirmed", NO_FACE="escalated")
    judge(session, reviewer, LOOKING_AWAY="dismissed")
    turned_session(exam)
    before = try_policy(exam=exam, policy=parse_policy({})).activities.before
    assert (before.precision.hits, before.precision.n, before.recall.n) == (0, 1, 0)


def test_agreement_is_told_by_its_parts():
    found = agreement([(True, True), (True, False), (False, True), (False, False), (True, True)])
    assert (found.precision.hits, found.precision.n, found.recall.hits, found.recall.n) == (2, 3, 2, 3)
    low, high = found.precision.interval
    assert 0.2 < low < 2 / 3 < high < 0.95


@pytest.mark.database
def test_it_tries_the_newest_sessions_first_and_no_more_than_it_may(exam):
    first, second, third = (turned_session(exam, at=at) for at in (0, 1, 2))
    result = try_policy(exam=exam, policy=parse_policy({}), most=2)
    assert [one.session for one in result.tried] == [third, second]
    assert result.available == 3
    assert not result.ran_out_of_time
    assert first not in {one.session for one in result.tried}


def test_it_stops_when_the_time_is_over_and_says_so(exam, session):
    result = try_policy(exam=exam, policy=parse_policy({}), longest_s=0)
    assert (result.tried, result.available, result.ran_out_of_time) == ((), 1, True)


@pytest.mark.database
def test_it_leaves_out_open_sessions_other_exams_and_those_whose_facts_are_gone(exam, session):
    make_session(exam)
    turned_session(make_exam())
    remove_evidence(session_id=turned_session(exam).pk)
    assert [one.session for one in try_policy(exam=exam, policy=parse_policy({})).tried] == [session]


@pytest.mark.parametrize("settings", [{"kind_cap": 2}, {"thresholds": {"head_yaw": 26}}])
def test_it_keeps_muted_detectors_muted(exam, settings):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate, muted=["gaze"])
    turned_session(exam, candidate=candidate)
    [tried] = try_policy(exam=exam, policy=parse_policy(settings)).tried
    assert set(tried.kinds_after) == {"NO_FACE"}


MAY_TRY = [(who, 403 if who == "assigned reviewer" else status) for who, status in MAY]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("who", "status"), MAY_TRY)
def test_it_lets_the_right_people_try(client, exam, session, who, status, method):
    sign_in(client, who)
    answer = getattr(client, method)(page(exam), filled(exam))
    assert answer.status_code == status
    assert exam.policies.count() == 1


@pytest.mark.parametrize(("who", "status"), MAY_TRY)
def test_it_lets_the_right_people_save(client, exam, who, status):
    sign_in(client, who)
    answer = client.post(page(exam), filled(exam, high_from="12", save="1"))
    assert answer.status_code == (302 if status == 200 else status)
    assert exam.policies.count() == (2 if status == 200 else 1)


def test_it_lets_nobody_try_without_the_permission_to_add_a_policy(client, exam):
    sign_in(client, "owner").groups.get(name=Role.TEACHER).permissions.filter(codename="add_proctoringpolicy").delete()
    assert client.get(page(exam)).status_code == 403


def test_the_page_shows_what_would_change_and_keeps_what_was_typed(client, exam, session, reviewer):
    judge(session, reviewer, "clear", LOOKING_AWAY="dismissed")
    sign_in(client, "owner")
    text = client.post(page(exam), filled(exam, medium_from="2", **{"thresholds.head_yaw": "33"})).content.decode()
    for needed in (
        "1 of 1 sessions would change its level.",
        reverse("admin:exams_examsession_change", args=[session.pk]),
        "2 settings differ from version 1",
        "thresholds.head_yaw",
        'value="33"',
        "0 of 1",
    ):
        assert needed in text, needed
    assert exam.policies.count() == 1


def test_it_saves_a_version_that_says_only_what_differs(client, exam, session):
    sign_in(client, "owner")
    answer = client.post(page(exam), filled(exam, high_from="12", note="calmer", save="1"), follow=True)
    saved = exam.current_policy
    assert (saved.version, saved.settings, saved.note) == (2, {"high_from": 12.0}, "calmer")
    assert "Version 2 is saved" in answer.content.decode()
    session.refresh_from_db()
    assert session.policy.version == 1
    again = client.post(page(exam), filled(exam, save="1"), follow=True).content.decode()
    assert "Nothing is different from version 2" in again
    assert exam.policies.count() == 2


def test_it_refuses_to_save_over_a_version_that_was_not_seen(client, exam):
    sign_in(client, "owner")
    typed = filled(exam, high_from="12", save="1")
    add_policy_version(exam=exam, settings={"high_from": 15})
    answer = client.post(page(exam), typed)
    assert "has been saved in the meantime" in answer.content.decode()
    assert exam.policies.count() == 2


def test_it_says_what_cannot_be_used_and_tries_nothing(client, exam, session):
    sign_in(client, "owner")
    text = client.post(page(exam), filled(exam, medium_from="11")).content.decode()
    assert "medium_from must be above 0 and below high_from" in text
    assert "would change" not in text


def test_one_person_runs_one_trial_at_a_time(client, exam, session):
    user = sign_in(client, "owner")
    cache.add(f"what-if:{user.pk}", 1, timeout=60)
    try:
        text = client.post(page(exam), filled(exam, medium_from="2")).content.decode()
    finally:
        cache.delete(f"what-if:{user.pk}")
    assert "A trial of yours is still running" in text
    for _time in range(2):
        assert "would change" in client.post(page(exam), filled(exam, medium_from="2")).content.decode()


def test_it_escapes_names(client, exam, session):
    session.candidate.user.full_name = "<script>alert(1)</script>"
    session.candidate.user.save()
    sign_in(client, "owner")
    text = client.post(page(exam), filled(exam, medium_from="2")).content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


def test_the_page_offers_itself_on_the_page_of_an_exam_to_who_may_change_it(client, exam):
    address = reverse("admin:exams_exam_change", args=[exam.pk])
    sign_in(client, "owner")
    assert page(exam) in client.get(address).content.decode()
    sign_in(client, "assigned reviewer")
    assert page(exam) not in client.get(address).content.decode()


@pytest.mark.parametrize(
    ("who", "shown"), [("owner", 1), ("another teacher", 0), ("assigned reviewer", 1), ("admin", 2)]
)
def test_it_lists_policies_of_visible_exams(client, exam, who, shown):
    make_exam(code="botany")
    sign_in(client, who)
    assert client.get(LIST).context["cl"].result_count == shown


def test_it_shows_what_a_version_changed_and_lets_nobody_change_it(client, exam):
    policy, _new = add_policy_version(exam=exam, settings={"high_from": 12})
    sign_in(client, "admin")
    address = reverse("admin:exams_proctoringpolicy_change", args=[policy.pk])
    assert "10.0 → 12" in client.get(address).content.decode()
    assert client.post(address, {"note": "x"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(reverse("admin:exams_proctoringpolicy_delete", args=[policy.pk])).status_code == 403


def queries_of(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_it_lists_fifty_policies_with_as_many_queries_as_one(client, exam):
    sign_in(client, "owner")
    client.get(LIST)
    one = queries_of(client, LIST)
    for number in range(49):
        add_policy_version(exam=exam, settings={"high_from": 11 + number})
    assert queries_of(client, LIST) == one


def test_the_page_is_opened_with_as_many_queries_for_many_sessions_as_for_one(client, exam, session):
    sign_in(client, "owner")
    client.get(page(exam))
    one = queries_of(client, page(exam))
    for _number in range(5):
        turned_session(exam)
    assert queries_of(client, page(exam)) == one


def test_the_limits_are_told_on_the_page(client, exam):
    sign_in(client, "owner")
    text = client.get(page(exam)).content.decode()
    assert f"the newest {what_if.MOST_SESSIONS} sessions at most, for {what_if.LONGEST_S:.0f} seconds at most" in text


def test_other_weights_are_tried_on_many_sessions_with_as_many_queries_as_on_one(exam, session):
    weights = parse_policy({"kinds": {"NO_FACE": {"weight": 5}}})

    def count():
        with CaptureQueriesContext(connection) as queries:
            tried = try_policy(exam=exam, policy=weights).tried
        return len(queries), len(tried)

    one, tried = count()
    assert tried == 1
    for _number in range(5):
        turned_session(exam)
    assert count() == (one, 6)
