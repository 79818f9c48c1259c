"""The review queue: its order, its page, and who takes what."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from monitoring import review_queue
from monitoring.case_models import ReviewCase
from monitoring.cases import claim_session
from monitoring.models import Assessment, ReviewDecision
from monitoring.review import decide_session
from monitoring.review_queue import Reading, claim_next, put_in_order, unseen_share, waiting_sessions
from monitoring.tests.factories import make_candidate, make_exam, make_session
from monitoring.tests.reviewers import convict_and_appeal, ended_session, hand_on, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture
def address():
    return reverse("admin:monitoring_queue")


def page_of(session):
    return reverse("admin:exams_examsession_change", args=[session.pk])


def ask(client, user, address):
    client.force_login(user)
    answer = client.get(address)
    assert answer.status_code == 200
    return answer


def rows(answer):
    return [row.session for row in answer.context["rows"]]


def counts(answer):
    return {tab["name"]: tab["count"] for tab in answer.context["tabs"]}


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def scored(session, risk):
    """Have the session weigh so much, whatever was found in it."""
    Assessment.objects.filter(session=session).update(risk_score=risk)
    return session


def test_it_settles_most_in_a_minute_of_reading():
    grave = Reading(risk=12, activities=2, confidence=1.8)
    long_winded = Reading(risk=14, activities=20, confidence=18)
    unseen, calm = Reading(risk=0, unseen=0.8), Reading(risk=0)
    assert grave.doubt == pytest.approx(0.2)
    assert grave.minutes == 2.0
    assert grave.worth == pytest.approx(6.1)
    assert unseen.worth == pytest.approx(4.0)
    assert calm.worth == 0
    assert sorted((long_winded, calm, unseen, grave), key=lambda one: -one.worth) == [
        grave,
        unseen,
        long_winded,
        calm,
    ]


def test_what_nobody_was_to_look_at_is_no_doubt():
    assert unseen_share({}) == 0
    assert unseen_share({"faces": 0.25}) == 0.75
    assert unseen_share({"faces": 1.5}) == 0


def test_sessions_stand_in_the_order_of_the_formula(desk):
    calm, away = ended_session(desk.exam, away_s=0), ended_session(desk.exam)
    grave = scored(ended_session(desk.exam), 14)
    ordered = put_in_order(waiting_sessions(desk.first, "first"), "first")
    assert ordered[0][0] == grave.pk
    worths = [reading.worth for _key, reading in ordered]
    assert worths == sorted(worths, reverse=True)
    assert {key: reading.activities for key, reading in ordered} == {calm.pk: 0, away.pk: 1, grave.pk: 1}


def test_appeals_stand_in_the_order_in_which_they_came(desk):
    early, late = ended_session(desk.exam), scored(ended_session(desk.exam), 14)
    convict_and_appeal(early, desk.first)
    convict_and_appeal(late, desk.first)
    assert [key for key, _r in put_in_order(waiting_sessions(desk.second, "appeal"), "appeal")] == [early.pk, late.pk]


def test_the_page_shows_what_waits_and_explains_the_order(client, desk, address):
    session = ended_session(desk.exam, name="Candidate One")
    answer = ask(client, desk.first, address)
    assert rows(answer) == [session]
    text = answer.content.decode()
    for needed in ("Candidate One", "points per minute = (risk + doubt)", page_of(session), "nobody yet", "Low 2"):
        assert needed in text
    own_part = text.partition('<div class="console queue">')[2].partition("</main>")[0]
    assert own_part
    assert "<script" not in own_part
    assert "style=" not in own_part


def test_each_tab_holds_its_stage_and_disagreements_are_shown_to_admins_alone(client, desk, address):
    waits, second, appealed, disputed = (ended_session(desk.exam) for _number in range(4))
    hand_on(second, desk.first)
    convict_and_appeal(appealed, desk.first)
    hand_on(disputed, desk.first)
    decide_session(session=disputed, outcome="clear", reason="Seen.", reviewer=desk.second)
    assert counts(ask(client, desk.admin, address)) == {
        "first": 1,
        "second": 1,
        "appeal": 1,
        "disagreement": 1,
        "mine": 0,
    }
    assert "disagreement" not in counts(ask(client, desk.third, address))
    for tab, session in (("first", waits), ("second", second), ("appeal", appealed), ("disagreement", disputed)):
        assert rows(ask(client, desk.admin, f"{address}?tab={tab}")) == [session]
    assert rows(ask(client, desk.third, f"{address}?tab=disagreement")) == [waits]  # not theirs: the first tab
    text = ask(client, desk.first, f"{address}?tab=second").content.decode()
    assert "not for you: you decided before" in text
    assert 'value="claim"' not in text


def test_everybody_sees_their_own_exams_only_and_not_their_own_sitting(client, desk, address):
    ended_session(make_exam())
    mine = ended_session(desk.exam)
    own = ended_session(desk.exam)
    own.candidate = make_candidate(desk.second.email)
    own.save()
    assert set(rows(ask(client, desk.teacher, address))) == {mine, own}
    assert rows(ask(client, desk.second, address)) == [mine]
    assert rows(ask(client, desk.stranger, address)) == []
    assert len(rows(ask(client, desk.admin, address))) == 3


def test_open_unwatched_and_decided_sessions_do_not_wait(client, desk, address):
    make_session(desk.exam)
    unwatched, decided = ended_session(desk.exam), ended_session(desk.exam)
    unwatched.assessments.all().delete()
    decide_session(session=decided, outcome="clear", reason="Seen.", reviewer=desk.first)
    before_cases = ended_session(desk.exam)
    ReviewDecision.objects.create(session=before_cases, verdict="clear", reason="Seen.", reviewer=desk.first)
    assert counts(ask(client, desk.first, address))["first"] == 0


def test_a_post_takes_a_session_and_leads_to_its_page(client, desk, address):
    session = ended_session(desk.exam)
    client.force_login(desk.first)
    answer = client.post(address, {"action": "claim", "session": session.pk, "tab": "first"})
    assert (answer.status_code, answer["Location"]) == (302, page_of(session))
    assert ReviewCase.objects.get().holder == desk.first
    assert "You have taken this session until" in client.get(page_of(session)).content.decode()
    assert "Reviewer One" in ask(client, desk.second, address).content.decode()
    assert 'value="claim"' not in client.get(page_of(session)).content.decode()


def test_the_next_is_the_first_that_is_free(client, desk, address):
    first, second = scored(ended_session(desk.exam), 14), ended_session(desk.exam)
    client.force_login(desk.first)
    assert client.post(address, {"action": "next", "tab": "first"})["Location"] == page_of(first)
    client.force_login(desk.second)
    assert client.post(address, {"action": "next", "tab": "first"})["Location"] == page_of(second)
    answer = client.post(address, {"action": "next", "tab": "first"}, follow=True)
    assert said(answer) == ["Nothing waits here that you could take."]


def test_the_next_second_look_is_none_that_one_took_part_in(desk):
    mine, others = scored(ended_session(desk.exam), 14), ended_session(desk.exam)
    hand_on(mine, desk.first)
    hand_on(others, desk.second)
    assert claim_next(stage="second", reviewer=desk.first) == others
    assert claim_next(stage="second", reviewer=desk.first) is None


def test_who_is_a_moment_too_late_gets_the_one_after(desk, monkeypatch):
    first, second = scored(ended_session(desk.exam), 14), ended_session(desk.exam)
    ordered = review_queue.put_in_order

    def somebody_is_faster(sessions, stage):
        found = ordered(sessions, stage)
        claim_session(session=first, reviewer=desk.second)
        return found

    monkeypatch.setattr(review_queue, "put_in_order", somebody_is_faster)
    assert claim_next(stage="first", reviewer=desk.first) == second


def test_a_post_gives_a_session_back(client, desk, address):
    session = ended_session(desk.exam)
    claim_session(session=session, reviewer=desk.first)
    assert rows(ask(client, desk.first, f"{address}?tab=mine")) == [session]
    assert "Give back" in ask(client, desk.teacher, address).content.decode()
    assert "Give back" not in ask(client, desk.second, address).content.decode()
    client.force_login(desk.first)
    assert said(client.post(address, {"action": "release", "session": session.pk}, follow=True)) == ["Given back."]
    assert ReviewCase.objects.get().holder is None


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"action": "dance"},
        {"action": "claim"},
        {"action": "claim", "session": "no-id"},
        {"action": "next"},
        {"action": "next", "tab": "mine"},
    ],
)
def test_a_post_that_makes_no_sense_does_nothing(client, desk, address, sent):
    ended_session(desk.exam)
    client.force_login(desk.first)
    answer = client.post(address, sent, follow=True)
    assert said(answer) == ["Nothing was done: this request cannot be understood."]
    assert not ReviewCase.objects.filter(holder__isnull=False).exists()


def test_a_session_that_never_was_or_is_somebody_elses_is_not_found(client, desk, address):
    hidden = ended_session(make_exam())
    client.force_login(desk.first)
    for key in (uuid.uuid4(), hidden.pk):
        for action in ("claim", "release"):
            assert client.post(address, {"action": action, "session": key}).status_code == 404


def test_it_asks_for_a_sign_in(client, desk, address):
    for answer in (client.get(address), client.post(address, {"action": "next", "tab": "first"})):
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/")
    client.force_login(make_candidate().user)
    assert client.get(address).status_code == 302


def test_it_asks_for_the_permission_to_decide(client, desk, address):
    session = ended_session(desk.exam)
    desk.first.groups.clear()
    client.force_login(desk.first)
    assert client.get(address).status_code == 403
    assert client.post(address, {"action": "claim", "session": session.pk}).status_code == 403
    assert not ReviewCase.objects.exists()


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (lambda desk, one: claim_session(session=one, reviewer=desk.second), "Reviewer Two has taken this session"),
        (lambda desk, one: hand_on(one, desk.first), "You decided on this session before"),
        (
            lambda desk, one: decide_session(session=one, outcome="clear", reason="x", reviewer=desk.second),
            "This session is decided",
        ),
    ],
)
def test_it_says_why_a_session_cannot_be_taken(client, desk, address, arrange, says):
    session = ended_session(desk.exam)
    arrange(desk, session)
    client.force_login(desk.first)
    (message,) = said(client.post(address, {"action": "claim", "session": session.pk}, follow=True))
    assert message.startswith(says)


def test_it_says_that_disagreements_are_for_admins_and_what_one_has_not_taken(client, desk, address):
    session = ended_session(desk.exam)
    client.force_login(desk.first)
    answer = client.post(address, {"action": "next", "tab": "disagreement"}, follow=True)
    assert said(answer) == ["An admin decides where reviewers disagree."]
    answer = client.post(address, {"action": "release", "session": session.pk}, follow=True)
    assert said(answer) == ["You have not taken this session."]


def test_the_list_of_cases_is_the_queue(client, desk, address):
    session = ended_session(desk.exam)
    claim_session(session=session, reviewer=desk.first)
    client.force_login(desk.first)
    assert client.get("/admin/monitoring/reviewcase/")["Location"] == address
    assert client.get(f"/admin/monitoring/reviewcase/{session.pk}/change/")["Location"] == page_of(session)
    assert client.get(f"/admin/monitoring/reviewcase/{uuid.uuid4()}/change/")["Location"] == address


@pytest.mark.parametrize("tab", ["first", "appeal", "mine"])
def test_fifty_sessions_take_as_many_queries_as_one(client, desk, address, tab):
    def add():
        session = ended_session(desk.exam)
        if tab == "appeal":
            convict_and_appeal(session, desk.first)
        if tab == "mine":
            claim_session(session=session, reviewer=desk.second)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            found = rows(ask(client, desk.second, f"{address}?tab={tab}"))
        return len(found), len(captured)

    add()
    queries()
    shown, one = queries()
    assert shown == 1
    for _number in range(49):
        add()
    assert queries() == (50, one)
    assert one <= 20


def test_more_than_a_page_is_turned(client, desk, address, monkeypatch):
    monkeypatch.setattr("monitoring.admin_queue.PER_PAGE", 2)
    for _number in range(3):
        ended_session(desk.exam)
    assert len(rows(ask(client, desk.first, address))) == 2
    assert len(rows(ask(client, desk.first, f"{address}?page=2"))) == 1


def test_a_claim_that_ran_out_is_nobodys(client, desk, address):
    session = ended_session(desk.exam)
    claim_session(session=session, reviewer=desk.first)
    ReviewCase.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert counts(ask(client, desk.first, address))["mine"] == 0
    client.force_login(desk.second)
    assert client.post(address, {"action": "next", "tab": "first"})["Location"] == page_of(session)


# --- on from one session to the next ----------------------------------------------------------------------------------


def decide(client, session, stage="first", outcome="concern"):
    sent = {"outcome": outcome, "reason": "Seen.", "stage": stage}
    return client.post(reverse("admin:exams_examsession_decide", args=[session.pk]), sent, follow=True)


def test_who_has_decided_an_outcome_goes_on_with_the_next_of_the_same_stage(client, desk, address):
    first, second, waits = (ended_session(desk.exam) for _number in range(3))
    hand_on(second, desk.first)
    client.force_login(desk.third)
    answer = decide(client, second, "second", "violation")
    assert answer.context["next_tab"] == "second"
    answer = decide(client, first)
    assert said(answer) == ["Outcome of the session: concern."]
    text = answer.content.decode()
    assert 'value="next"' in text
    assert f"{address}?tab=first" in text
    answer = client.post(address, {"action": "next", "tab": answer.context["next_tab"]})
    assert answer.headers["Location"] == page_of(waits)


def test_nobody_else_is_led_on(client, desk):
    session = ended_session(desk.exam)
    client.force_login(desk.first)
    assert 'value="next"' not in client.get(page_of(session)).content.decode()
    assert 'value="next"' not in client.get(page_of(session), {"done": "nonsense"}).content.decode()
    client.force_login(desk.teacher)
    desk.teacher.groups.get().permissions.remove(Permission.objects.get(codename="add_reviewdecision"))
    assert 'value="next"' not in client.get(page_of(session), {"done": "first"}).content.decode()


def test_after_a_disagreement_others_than_admins_go_on_with_what_waits_first(client, desk):
    session = ended_session(desk.exam)
    client.force_login(desk.first)
    assert client.get(page_of(session), {"done": "disagreement"}).context["next_tab"] == "first"
    client.force_login(desk.admin)
    assert client.get(page_of(session), {"done": "disagreement"}).context["next_tab"] == "disagreement"


def test_the_queue_says_what_was_found_and_hides_the_formula_where_it_does_not_hold(client, desk, address):
    session = ended_session(desk.exam)
    text = ask(client, desk.second, address).content.decode()
    assert "Nobody in view ×1" in text
    assert "÷ 1.5</small>" in text
    convict_and_appeal(session, desk.first)
    text = ask(client, desk.second, f"{address}?tab=appeal").content.decode()
    assert "Nobody in view ×1" in text
    assert "Points per minute" not in text
    assert "points per minute = " not in text
