"""Making sessions, the system check before them, and tickets for their sockets."""

from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from exams.lifecycle import StepRefused, begin_session, move_session
from exams.models import ExamAssignment, ExamSession, SessionStatus, SocketTicket
from exams.policy import Policy
from exams.services import SessionRefused, create_session, open_session
from exams.system_check import FINDINGS, judge_check, record_check
from exams.tickets import TICKET_S, TicketRefused, issue_ticket, sign_in_of, take_ticket
from monitoring.tests.factories import START, agree, make_candidate, make_exam
from vision.types import Sense

pytestmark = [pytest.mark.django_db, pytest.mark.database]
GOOD = {"camera": {"available": True, "faces": 1}, "microphone": {"available": True}}


@pytest.fixture
def candidate():
    return agree(make_candidate())


@pytest.fixture
def exam(candidate):
    exam = make_exam(opens_at=START, closes_at=START + timedelta(hours=1))
    ExamAssignment.objects.create(exam=exam, candidate=candidate, muted=["gaze"])
    return exam


def refused(code, **fields):
    with pytest.raises((SessionRefused, StepRefused)) as caught:
        open_session(**fields)
    assert (caught.value.code, caught.value.status) == (code, 409)
    return str(caught.value)


def test_it_makes_a_session_with_what_is_muted_for_the_candidate(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    stored = ExamSession.objects.get()
    assert (stored.pk, stored.status, stored.muted) == (session.pk, SessionStatus.CREATED, ["gaze"])
    assert (stored.policy, stored.created_at) == (exam.current_policy, START)


def test_it_keeps_what_was_muted_whatever_is_arranged_later(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    exam.assignments.update(muted=[])
    assert ExamSession.objects.get(pk=session.pk).muted == ["gaze"]


def test_it_names_the_session_that_is_open_already(exam, candidate):
    first = open_session(exam=exam, candidate=candidate, now=START)
    words = refused("already_open", exam=exam, candidate=candidate, now=START + timedelta(hours=2))
    assert str(first.pk) in words
    assert ExamSession.objects.count() == 1


@pytest.mark.parametrize("now", [START - timedelta(seconds=1), START + timedelta(hours=1)])
def test_it_refuses_outside_the_window(exam, candidate, now):
    refused("outside_window", exam=exam, candidate=candidate, now=now)
    assert not ExamSession.objects.exists()


def test_it_refuses_without_consent_and_takes_a_consent_given_back_seriously(exam, candidate):
    candidate.user.consents.update(withdrawn_at=timezone.now())
    assert "auth/me/consents" in refused("consent_required", exam=exam, candidate=candidate, now=START)
    stranger = make_candidate()
    ExamAssignment.objects.create(exam=exam, candidate=stranger)
    refused("consent_required", exam=exam, candidate=stranger, now=START)
    assert not ExamSession.objects.exists()


def test_it_refuses_who_is_not_assigned_unless_the_exam_is_open_to_all(exam):
    stranger = agree(make_candidate())
    refused("not_assigned", exam=exam, candidate=stranger, now=START)
    exam.open_to_all = True
    assert open_session(exam=exam, candidate=stranger, now=START).muted == []


def test_it_counts_the_sittings_that_were_begun(exam, candidate):
    exam.max_attempts = 1
    unused = open_session(exam=exam, candidate=candidate, now=START)
    move_session(session=unused, to=SessionStatus.TERMINATED, at=START)
    create_session(exam=exam, candidate=candidate, source=ExamSession.Source.RECORDING)
    sat = open_session(exam=exam, candidate=candidate, now=START)
    move_session(session=sat, to=SessionStatus.ACTIVE, at=START)
    move_session(session=sat, to=SessionStatus.SUBMITTED, at=START)
    refused("no_attempts_left", exam=exam, candidate=candidate, now=START)
    assert ExamSession.objects.filter(exam=exam, source="live").count() == 2


def test_it_locks_the_candidate_before_it_looks(exam, candidate, monkeypatch):
    order = []
    original = type(candidate).objects.select_for_update

    def lock():
        order.append("lock")
        return original()

    monkeypatch.setattr(type(candidate).objects, "select_for_update", lock)
    monkeypatch.setattr("exams.services._check_none_open", lambda *a: order.append("look"))
    create_session(exam=exam, candidate=candidate)
    assert order[:2] == ["lock", "look"]


@pytest.mark.parametrize("word", ["eyes", "LOOKING_AWAY", "gaze"])
def test_it_takes_senses_kinds_and_the_word_gaze_for_muted(exam, word):
    ExamAssignment(exam=exam, candidate=make_candidate(), muted=[word]).full_clean()
    with pytest.raises(ValidationError):
        ExamAssignment(exam=exam, candidate=make_candidate(), muted=["everything"]).full_clean()


def test_it_mutes_head_eyes_and_looking_away_by_the_word_gaze():
    policy = Policy().without(["gaze"])
    assert policy.senses == tuple(sense for sense in Sense if sense not in ("head", "eyes"))
    kinds = ("LOOKING_AWAY", "EYES_CLOSED", "NO_FACE")
    assert [policy.rule(kind).enabled for kind in kinds] == [False, False, True]


def test_it_mutes_all_that_listens_by_the_word_sound():
    policy = Policy().without(["sound"])
    assert policy.senses == tuple(sense for sense in Sense if sense not in ("level", "speech", "speakers"))
    assert (policy.looks, policy.listens) == (True, False)


@pytest.mark.parametrize(
    ("measured", "codes"),
    [
        (GOOD, []),
        ({**GOOD, "camera": {"available": False, "faces": 3}}, ["camera_missing"]),
        ({**GOOD, "camera": {"available": True, "width": 319, "height": 240}}, ["picture_too_small"]),
        ({**GOOD, "camera": {"available": True, "width": 320, "height": 239}}, ["picture_too_small"]),
        ({**GOOD, "camera": {"available": True, "width": 320, "height": 240}}, []),
        ({**GOOD, "camera": {"available": True, "faces": 0}}, ["no_face"]),
        ({**GOOD, "camera": {"available": True, "faces": 2}}, ["several_faces"]),
        ({**GOOD, "camera": {"available": True, "brightness": 0.05}}, ["too_dark"]),
        ({**GOOD, "camera": {"available": True, "brightness": 0.99}}, ["too_bright"]),
        ({**GOOD, "microphone": {"available": False}}, ["microphone_missing"]),
        ({**GOOD, "microphone": {"available": True, "level_dbfs": -80}}, ["microphone_silent"]),
        ({**GOOD, "microphone": {"available": True, "level_dbfs": 0}}, ["microphone_clipping"]),
        ({**GOOD, "network": {"rtt_ms": 900}}, ["network_slow"]),
        ({**GOOD, "network": {"kbps": 100}}, ["network_slow"]),
        ({**GOOD, "network": {"rtt_ms": None, "kbps": 5000}, "screens": None}, []),
        ({**GOOD, "screens": 2}, ["several_screens"]),
    ],
)
def test_it_judges_what_was_measured(measured, codes):
    assert judge_check(measured, Policy()) == codes


def test_it_asks_for_nothing_that_nobody_examines():
    no_faces = Policy().without(["faces"])
    assert judge_check({**GOOD, "camera": {"available": True, "faces": 0}}, no_faces) == []
    assert judge_check({**GOOD, "camera": {"available": False}}, Policy(senses=())) == []


def test_it_says_what_to_do_about_everything_it_finds():
    for finding in FINDINGS.values():
        assert str(finding.finding).endswith(".")
        assert str(finding.advice).endswith(".")


def test_it_keeps_the_last_check_and_checks_in_once(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    record_check(session=session, measured={**GOOD, "camera": {"available": False}})
    stored = ExamSession.objects.get()
    assert (stored.status, stored.system_check["passed"]) == (SessionStatus.CHECKING_IN, False)
    record_check(session=session, measured={**GOOD, "screens": 2})
    stored.refresh_from_db()
    assert (stored.system_check["passed"], stored.system_check["findings"]) == (True, ["several_screens"])
    assert stored.system_check["measured"]["screens"] == 2
    assert stored.transitions.get().to_status == SessionStatus.CHECKING_IN
    assert begin_session(session=session, by=candidate.user, now=START).status == SessionStatus.ACTIVE
    with pytest.raises(StepRefused, match="before the beginning"):
        record_check(session=session, measured=GOOD)


def test_it_gives_a_ticket_that_is_good_once_for_its_session(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    other = create_session(exam=make_exam(), candidate=candidate)
    ticket, expires_in = issue_ticket(session=session, user=candidate.user)
    assert expires_in == TICKET_S == 60
    assert ticket not in str(SocketTicket.objects.values().get())
    assert take_ticket(ticket=ticket, session_id=other.pk) is None
    assert take_ticket(ticket="guess", session_id=session.pk) is None
    assert take_ticket(ticket=ticket, session_id=session.pk) == candidate.user
    assert take_ticket(ticket=ticket, session_id=session.pk) is None
    assert not SocketTicket.objects.exists()


def test_it_takes_no_ticket_that_is_too_old_and_removes_those_nobody_used(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    ticket, _s = issue_ticket(session=session, user=candidate.user)
    SocketTicket.objects.update(expires_at=timezone.now())
    assert take_ticket(ticket=ticket, session_id=session.pk) is None
    issue_ticket(session=session, user=candidate.user)
    assert SocketTicket.objects.count() == 1


def test_it_gives_the_ticket_to_one_of_two_who_come_at_once(exam, candidate, monkeypatch):
    session = open_session(exam=exam, candidate=candidate, now=START)
    ticket, _s = issue_ticket(session=session, user=candidate.user)
    query = type(SocketTicket.objects.all())
    original, taken = query.first, []

    def overtaken(rows):
        found = original(rows)
        if not taken:
            taken.append(None)
            taken.append(take_ticket(ticket=ticket, session_id=session.pk))
        return found

    monkeypatch.setattr(query, "first", overtaken)
    assert take_ticket(ticket=ticket, session_id=session.pk) is None
    assert taken[1] == candidate.user


def test_it_gives_no_ticket_for_a_session_that_is_over_nor_takes_one_of_somebody_locked_out(exam, candidate):
    session = open_session(exam=exam, candidate=candidate, now=START)
    ticket, _s = issue_ticket(session=session, user=candidate.user)
    candidate.user.is_active = False
    candidate.user.save()
    assert take_ticket(ticket=ticket, session_id=session.pk) is None
    session = move_session(session=session, to=SessionStatus.TERMINATED)
    with pytest.raises(TicketRefused):
        issue_ticket(session=session, user=candidate.user)


def test_it_asks_the_database_only_about_tickets_of_ours_and_deletes_only_what_is_there(
    exam, candidate, django_assert_num_queries
):
    session = open_session(exam=exam, candidate=candidate, now=START)
    ticket, _s = issue_ticket(session=session, user=candidate.user, sign_in="c0ffee")
    assert sign_in_of(ticket) == "c0ffee"
    another = ("y" if ticket.startswith("x") else "x") + ticket[1:]
    with django_assert_num_queries(0):
        for guess in ("guess", "x" * 43, "x" * 100_000, ticket[:-1], another, f"{ticket}.", "ক", ""):
            assert take_ticket(ticket=guess, session_id=session.pk) is None
            assert sign_in_of(guess) == ""
    assert take_ticket(ticket=ticket, session_id=session.pk) == candidate.user
    with django_assert_num_queries(1):
        assert take_ticket(ticket=ticket, session_id=session.pk) is None
    with time_machine.travel(timezone.now() + timedelta(minutes=5)), django_assert_num_queries(0):
        assert take_ticket(ticket=ticket, session_id=session.pk) is None
