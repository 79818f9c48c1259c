"""Whose turn it is: taking sessions, the second look, disagreements."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from accounts.tests.client import client_of
from monitoring.case_models import ReviewCase
from monitoring.cases import CLAIM_LASTS, ReviewRefused, claim_session, release_session
from monitoring.models import ReviewDecision
from monitoring.outcomes import outcome_of
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import end_session, make_candidate, make_session
from monitoring.tests.reviewers import activity_of, convict, ended_session, hand_on, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture
def session(desk):
    return ended_session(desk.exam)


def case_of(session):
    return ReviewCase.objects.get(pk=session.pk)


def decide(session, who, outcome, **more):
    return decide_session(session=session, outcome=outcome, reason="Seen.", reviewer=who, **more)


def code_of(refused):
    return refused.value.code, refused.value.status


def test_a_session_is_taken_by_one_for_a_while(desk, session):
    before = timezone.now()
    case = claim_session(session=session, reviewer=desk.first)
    assert (case.holder, case.stage) == (desk.first, "first")
    assert before + CLAIM_LASTS <= case.held_until <= timezone.now() + CLAIM_LASTS
    with pytest.raises(ReviewRefused, match="Reviewer One has taken") as refused:
        claim_session(session=session, reviewer=desk.second)
    assert code_of(refused) == ("taken", 409)
    assert case_of(session).holder == desk.first


def test_what_was_taken_too_long_ago_is_free_again(desk, session):
    claim_session(session=session, reviewer=desk.first)
    ReviewCase.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert claim_session(session=session, reviewer=desk.second).holder == desk.second


def test_nobody_else_decides_on_what_somebody_has_taken(desk, session):
    claim_session(session=session, reviewer=desk.first)
    for decide_it in (
        lambda: decide_activity(
            activity=activity_of(session), verdict="confirmed", reason="Seen.", reviewer=desk.teacher
        ),
        lambda: decide(session, desk.teacher, "clear"),
    ):
        with pytest.raises(ReviewRefused) as refused:
            decide_it()
        assert code_of(refused) == ("taken", 409)
    assert not ReviewDecision.objects.exists()


def test_each_decision_of_the_holder_begins_their_time_anew(desk, session):
    claim_session(session=session, reviewer=desk.first)
    ReviewCase.objects.update(held_until=timezone.now() + timedelta(minutes=1))
    decide_activity(activity=activity_of(session), verdict="confirmed", reason="Seen.", reviewer=desk.first)
    assert case_of(session).held_until > timezone.now() + CLAIM_LASTS - timedelta(minutes=1)
    decide(session, desk.first, "clear")
    assert (case_of(session).stage, case_of(session).holder) == ("decided", None)


def test_the_holder_gives_it_back_and_nobody_else_but_who_manages_the_exam(desk, session):
    claim_session(session=session, reviewer=desk.first)
    with pytest.raises(ReviewRefused, match="not taken") as refused:
        release_session(session=session, by=desk.second)
    assert code_of(refused) == ("not_taken", 409)
    release_session(session=session, by=desk.first)
    assert case_of(session).holder is None
    claim_session(session=session, reviewer=desk.first)
    release_session(session=session, by=desk.teacher)
    assert case_of(session).holder is None


def test_nobody_takes_their_own_session_an_open_one_or_a_decided_one(desk, session):
    own = make_session(desk.exam, make_candidate(desk.second.email))
    end_session(own, 5)
    own.refresh_from_db()
    with pytest.raises(ReviewRefused) as refused:
        claim_session(session=own, reviewer=desk.second)
    assert code_of(refused) == ("own_session", 403)
    with pytest.raises(ReviewRefused, match="still open") as refused:
        claim_session(session=make_session(desk.exam), reviewer=desk.first)
    assert code_of(refused) == ("wrong_state", 409)
    decide(session, desk.first, "clear")
    with pytest.raises(ReviewRefused, match="nothing waits") as refused:
        claim_session(session=session, reviewer=desk.second)
    assert code_of(refused) == ("wrong_state", 409)


def test_what_was_decided_before_there_were_cases_counts_as_decided(desk, session):
    ReviewDecision.objects.create(session=session, verdict="violation", reason="Seen.", reviewer=desk.first)
    assert not ReviewCase.objects.exists()
    with pytest.raises(ReviewRefused, match="nothing waits"):
        claim_session(session=session, reviewer=desk.second)


def test_an_escalated_session_is_decided_by_somebody_else(desk, session):
    hand_on(session, desk.first)
    assert (case_of(session).stage, case_of(session).leaning) == ("second", "violation")
    for attempt in (
        lambda: decide(session, desk.first, "violation"),
        lambda: claim_session(session=session, reviewer=desk.first),
        lambda: decide_activity(
            activity=activity_of(session), verdict="confirmed", reason="Seen.", reviewer=desk.first
        ),
    ):
        with pytest.raises(ReviewRefused, match="somebody else") as refused:
            attempt()
        assert code_of(refused) == ("took_part", 403)
    decide(session, desk.second, "violation")
    assert (case_of(session).stage, outcome_of(session).outcome) == ("decided", "violation")


def test_who_decides_first_in_a_second_review_has_taken_it(desk, session):
    hand_on(session, desk.first)
    decide_activity(activity=activity_of(session), verdict="dismissed", reason="Seen.", reviewer=desk.second)
    assert case_of(session).holder == desk.second
    with pytest.raises(ReviewRefused) as refused:
        decide(session, desk.third, "clear")
    assert code_of(refused) == ("taken", 409)


@pytest.mark.parametrize(
    ("leaning", "verdict", "outcome", "stage"),
    [
        ("violation", "dismissed", "violation", "decided"),
        ("violation", "dismissed", "clear", "disagreement"),
        ("", "dismissed", "clear", "decided"),
        ("", "confirmed", "clear", "disagreement"),
        ("violation", "escalated", "violation", "decided"),
        ("violation", "dismissed", "escalated", "disagreement"),
    ],
)
def test_two_disagree_by_their_outcomes_or_by_what_they_make_of_an_activity(
    desk, session, leaning, verdict, outcome, stage
):
    hand_on(session, desk.first, leaning=leaning)  # who dismissed the activity
    decide_activity(activity=activity_of(session), verdict=verdict, reason="Seen.", reviewer=desk.second)
    decide(session, desk.second, outcome)
    assert case_of(session).stage == stage


@pytest.mark.parametrize(
    ("given_back", "verdict", "stage"),
    [
        ("confirmed", "confirmed", "disagreement"),
        ("confirmed", "dismissed", "disagreement"),
        ("", "dismissed", "decided"),
    ],
)
def test_what_somebody_said_who_gave_the_second_look_back_is_weighed_as_well(desk, session, given_back, verdict, stage):
    hand_on(session, desk.first)  # who dismissed the activity
    if given_back:
        decide_activity(activity=activity_of(session), verdict=given_back, reason="Seen.", reviewer=desk.second)
        release_session(session=session, by=desk.second)
    decide_activity(activity=activity_of(session), verdict=verdict, reason="Seen.", reviewer=desk.teacher)
    decide(session, desk.teacher, "violation")
    assert case_of(session).stage == stage


def test_what_the_first_decided_before_handing_it_on_is_what_they_think(desk, session):
    convict(session, desk.first)
    decide(session, desk.first, "escalated")
    decide(session, desk.second, "clear")
    assert case_of(session).stage == "disagreement"


def test_a_disagreement_is_settled_by_an_admin_who_took_no_part(desk, session):
    hand_on(session, desk.first)
    decide(session, desk.second, "clear")
    told = outcome_of(session)
    assert not told.decided
    assert "handed on" in told.sentence
    for who, code in ((desk.third, "admin_decides"), (desk.teacher, "admin_decides"), (desk.first, "admin_decides")):
        with pytest.raises(ReviewRefused) as refused:
            decide(session, who, "clear")
        assert code_of(refused) == (code, 403)
    with pytest.raises(ReviewRefused, match="not handed on"):
        decide(session, desk.admin, "escalated")
    decide(session, desk.admin, "concern")
    assert (case_of(session).stage, case_of(session).settled, outcome_of(session).outcome) == (
        "decided",
        True,
        "concern",
    )


def test_an_admin_who_took_part_does_not_settle_it(desk, session):
    hand_on(session, desk.admin)
    decide(session, desk.second, "clear")
    with pytest.raises(ReviewRefused) as refused:
        decide(session, desk.admin, "violation")
    assert code_of(refused) == ("took_part", 403)


def test_only_an_admin_changes_what_was_settled(desk, session):
    hand_on(session, desk.first)
    decide(session, desk.second, "clear")
    decide(session, desk.admin, "concern")
    with pytest.raises(ReviewRefused, match="settled") as refused:
        decide(session, desk.third, "clear")
    assert code_of(refused) == ("settled", 403)
    decide(session, desk.admin, "clear")
    assert outcome_of(session).outcome == "clear"


def test_only_who_escalates_leans(desk, session):
    with pytest.raises(ReviewRefused, match="Only who escalates"):
        decide(session, desk.first, "clear", leaning="violation")
    with pytest.raises(ReviewRefused, match="one of clear, concern, violation"):
        decide(session, desk.first, "escalated", leaning="guilty")
    assert not ReviewDecision.objects.exists()


def test_who_saw_an_earlier_stage_looks_at_the_session_again(desk, session):
    decide(session, desk.first, "clear", seen_stage="first")
    with pytest.raises(ReviewRefused, match="look at the session again") as refused:
        decide(session, desk.second, "violation", seen_stage="first")
    assert code_of(refused) == ("wrong_state", 409)
    with pytest.raises(ReviewRefused, match="look at the session again"):
        decide_activity(
            activity=activity_of(session), verdict="confirmed", reason="x", reviewer=desk.second, seen_stage="first"
        )
    assert outcome_of(session).outcome == "clear"


def test_what_was_handed_on_before_there_were_cases_waits_for_a_second_reviewer(desk, session):
    decided = ended_session(desk.exam)
    for one, verdicts in ((session, ("violation", "escalated")), (decided, ("escalated", "clear"))):
        for verdict in verdicts:
            ReviewDecision.objects.create(session=one, verdict=verdict, reason="Seen.", reviewer=desk.first)
    import_module("monitoring.migrations.0011_queue_and_appeals").open_second_reviews(apps, None)
    case = ReviewCase.objects.get()
    newest = ReviewDecision.objects.get(session=session, verdict="escalated")
    assert (case.session, case.stage, case.stage_since) == (session, "second", newest.decided_at)


def test_while_two_disagree_no_list_takes_the_latest_word_for_the_outcome(client, desk, session):
    hand_on(session, desk.first)
    decide(session, desk.second, "clear")
    client.force_login(desk.admin)
    (row,) = client.get("/admin/exams/examsession/").context["cl"].result_list
    assert row.verdict == "escalated"
    page = client.get(f"/admin/exams/examsession/{session.pk}/change/")
    assert page.context["session_decision"] is None
    assert "Who handed it on leaned to: violation." in page.content.decode()
    answer = client_of(desk.admin).get("/api/v1/admin/sessions?outcome=escalated").json()
    assert [one["outcome"] for one in answer["results"]] == ["escalated"]


def test_the_interface_and_the_console_take_a_leaning_from_who_escalates(client, desk, session):
    told = {"outcome": "escalated", "reason": "Hard to say.", "leaning": "concern"}
    address = f"/api/v1/sessions/{session.pk}/review"
    assert client_of(desk.first).post(address, told | {"leaning": "guilty"}, format="json").status_code == 400
    assert client_of(desk.first).post(address, told, format="json").status_code == 201
    assert case_of(session).leaning == "concern"
    other = ended_session(desk.exam)
    client.force_login(desk.first)
    client.post(f"/admin/exams/examsession/{other.pk}/decide/", told | {"stage": "first"})
    assert (case_of(other).stage, case_of(other).leaning) == ("second", "concern")


def test_the_console_leaves_a_leaning_out_where_nothing_is_handed_on(client, desk, session):
    client.force_login(desk.first)
    told = {"outcome": "clear", "reason": "Fine.", "leaning": "violation", "stage": "first"}
    client.post(f"/admin/exams/examsession/{session.pk}/decide/", told)
    assert (case_of(session).stage, case_of(session).leaning) == ("decided", "")


def test_the_console_says_so_when_somebody_was_faster(client, desk, session):
    decide(session, desk.second, "clear")
    client.force_login(desk.first)
    told = {"outcome": "violation", "reason": "Seen.", "stage": "first"}
    answer = client.post(f"/admin/exams/examsession/{session.pk}/decide/", told, follow=True)
    assert "Somebody has just decided; look at the session again." in answer.content.decode()
    assert ReviewDecision.objects.count() == 1
