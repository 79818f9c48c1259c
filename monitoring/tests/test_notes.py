"""What reviewers note, and verdicts that are given together or taken back."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Role
from exams.services import add_policy_version
from monitoring import summary
from monitoring.cases import ReviewRefused
from monitoring.clearing import clear_logs
from monitoring.erasure import erase_session
from monitoring.models import Assessment, ReviewDecision, ReviewerNote, SessionMonitor, SuspiciousActivity
from monitoring.notes import NoteRefused, add_note
from monitoring.rescoring import rescore_session
from monitoring.retention import sessions_to_thin_out
from monitoring.review import decide_activity
from monitoring.review_many import MOST_AT_ONCE, decide_activities, take_back
from monitoring.selectors import current_assessment, latest_verdict
from monitoring.services import record_event
from monitoring.tests.factories import START, end_session, facts, make_session, make_user, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def reviewer():
    return make_user(Role.REVIEWER)


@pytest.fixture
def session():
    """A session with three activities: nobody there, and the tab left twice."""
    session = make_session()
    watch(session, *[facts(at, faces=0, objects={}) for at in range(6)])
    for after_s in (30, 60):
        at = START + timedelta(seconds=after_s)
        record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=at)
    end_session(session, 90)
    session.refresh_from_db()
    return session


def shown(session):
    """Return the activities as the page shows them."""
    return summary.activities_of(current_assessment(session), session)


def test_a_note_is_kept_as_it_was_written(session, reviewer):
    activity = session.activities.first()
    note = add_note(session=session, author=reviewer, text="  The clock behind shows 9:02. ", at_s=12.5)
    about = add_note(session=session, author=reviewer, text="A break.", at_s=-3, activity=activity)
    assert (note.text, note.at_s, note.activity) == ("The clock behind shows 9:02.", 12.5, None)
    assert (about.at_s, about.activity) == (0, activity)
    note.text = "Something else."
    with pytest.raises(ValidationError):
        note.save()
    assert ReviewDecision.objects.count() == 0


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_a_note_without_a_text_or_with_too_long_a_one_is_refused(session, reviewer, text):
    with pytest.raises(NoteRefused):
        add_note(session=session, author=reviewer, text=text, at_s=0)
    assert not ReviewerNote.objects.exists()


def test_nobody_notes_on_their_own_session_or_on_an_activity_of_another(session, reviewer):
    with pytest.raises(NoteRefused, match="own session") as refused:
        add_note(session=session, author=session.candidate.user, text="It was allowed.", at_s=0)
    assert refused.value.status == 403
    with pytest.raises(NoteRefused, match="another session"):
        add_note(session=make_session(), author=reviewer, text="x", at_s=0, activity=session.activities.first())


def test_the_database_takes_no_note_that_says_nothing(session, reviewer):
    for values in ({"text": "", "at_s": 1}, {"text": "x", "at_s": -1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ReviewerNote.objects.create(session=session, author=reviewer, **values)


def test_a_note_stays_where_its_activity_goes(session, reviewer):
    activity = session.activities.filter(kind="TAB_SWITCH").first()
    note = add_note(session=session, author=reviewer, text="To the clock.", at_s=30, activity=activity)
    clear_logs(session=session, reason="A broken browser.", by=make_user(Role.ADMIN))
    note.refresh_from_db()
    assert (note.activity, note.at_s, note.text) == (None, 30, "To the clock.")


def test_notes_go_with_their_session(session, reviewer):
    activity = session.activities.first()
    add_note(session=session, author=reviewer, text="A break.", at_s=1, activity=activity)
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=reviewer)
    erase_session(session=session)
    assert not ReviewerNote.objects.exists()
    assert not SuspiciousActivity.objects.exists()


def test_pictures_stay_while_somebody_still_writes_notes(session, reviewer):
    SessionMonitor.objects.update(finished_at=timezone.now() - timedelta(days=400))
    assert sessions_to_thin_out() == [session.pk]
    add_note(session=session, author=reviewer, text="To be looked at again.", at_s=1)
    assert sessions_to_thin_out() == []


def test_it_decides_several_with_one_reason(session, reviewer):
    chosen = list(session.activities.filter(kind="TAB_SWITCH"))
    decide_activities(activities=chosen, verdict="dismissed", reason="Allowed.", reviewer=reviewer)
    assert [item.dismissed for item in shown(session)] == [False, True, True]
    assert set(ReviewDecision.objects.values_list("reason", "reviewer")) == {("Allowed.", reviewer.pk)}
    assert Assessment.objects.get().reviewed_risk_score == 2


def test_it_decides_all_of_them_or_none(session, reviewer):
    old = session.activities.get(kind="NO_FACE")
    policy, _new = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    counting = session.activities.filter(assessment__is_current=True)
    with pytest.raises(ReviewRefused, match="judged again"):
        decide_activities(activities=[*counting, old], verdict="confirmed", reason="Seen.", reviewer=reviewer)
    assert not ReviewDecision.objects.exists()


def test_it_decides_neither_nothing_nor_more_than_anybody_looks_at(session, reviewer):
    one = session.activities.first()
    for activities in ([], [one] * (MOST_AT_ONCE + 1)):
        with pytest.raises(ReviewRefused):
            decide_activities(activities=activities, verdict="confirmed", reason="Seen.", reviewer=reviewer)
    assert not ReviewDecision.objects.exists()


def test_a_verdict_is_taken_back_by_a_decision_of_its_own(session, reviewer):
    activity = session.activities.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=reviewer)
    assert Assessment.objects.get().reviewed_risk_score == 6
    take_back(activity=activity, reason="It was another candidate's break.", reviewer=reviewer)
    item = shown(session)[0]
    assert (item.decision, item.dismissed) == (None, False)
    assert [decision.verdict for decision in item.decisions] == ["dismissed", "withdrawn"]
    assert Assessment.objects.get().reviewed_risk_score == 8
    judged = SuspiciousActivity.objects.annotate(verdict=latest_verdict(activity=activity.pk))
    assert judged.get(pk=activity.pk).verdict is None
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=reviewer)
    assert shown(session)[0].decision.verdict == "confirmed"


def test_there_is_nothing_to_take_back_before_a_verdict_or_after_it_was_taken_back(session, reviewer):
    activity = session.activities.first()
    with pytest.raises(ReviewRefused, match="no verdict") as refused:
        take_back(activity=activity, reason="x", reviewer=reviewer)
    assert (refused.value.status, refused.value.code) == (409, "wrong_state")
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=reviewer)
    take_back(activity=activity, reason="x", reviewer=reviewer)
    with pytest.raises(ReviewRefused, match="no verdict"):
        take_back(activity=activity, reason="x", reviewer=reviewer)
    assert ReviewDecision.objects.count() == 2
