"""Mail when a session turns High: to whom, in which words, once, and what happens where the mail server is away."""

from datetime import timedelta
from email.header import decode_header, make_header

import pytest
from django.core import mail as outgoing
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from exams.models import Exam
from monitoring import mail, queue, tasks
from monitoring.models import SessionMonitor
from monitoring.services import record_event
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user
from monitoring.tests.mail_server import MailServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    exam = make_exam(make_user(email="teacher@example.com"), title="Algebra & more", mail_when_high=True)
    exam.reviewers.add(make_user(Role.REVIEWER, "reviewer@example.com"))
    return make_session(exam, make_candidate("ada@example.com", "Ada Lovelace"))


@pytest.fixture
def committed(django_capture_on_commit_callbacks, monkeypatch):
    """Let things happen as if they were committed; the tasks that are asked for run at once."""
    known = {queue.MAIL_HIGH: tasks.mail_high}
    monkeypatch.setattr(queue, "send", lambda task, session_id: known[task](str(session_id)))
    return lambda: django_capture_on_commit_callbacks(execute=True)


def make_high(session, minutes=0):
    """Let the browser report as much as High takes."""
    for number, kind in enumerate(["TAB_SWITCH", "TAB_SWITCH", "TAB_SWITCH", "PASTE", "COPY"]):
        at = START + timedelta(minutes=minutes + number, seconds=10)
        record_event(session_id=session.pk, event_type=kind, source="browser", occurred_at=at)


def test_the_teacher_and_the_reviewers_are_written_to_once(session, committed, settings):
    settings.SITE_URL = "https://exams.example.org"
    with committed():
        make_high(session)
    with committed():
        make_high(session, minutes=30)
    assert sorted(message.to[0] for message in outgoing.outbox) == ["reviewer@example.com", "teacher@example.com"]
    page = reverse("admin:exams_examsession_change", args=[session.pk])
    for message in outgoing.outbox:
        assert message.subject == "High risk in a session of Algebra & more"
        assert f"https://exams.example.org{page}" in message.body
        assert "Algebra & more" in message.body
        assert "Left the exam tab: 9" in message.body
        assert not message.attachments
        assert "Ada" not in message.subject + message.body
    assert SessionMonitor.objects.get(pk=session.pk).high_told_at is not None


def test_nobody_is_written_to_where_the_exam_does_not_ask_for_it(session, committed):
    Exam.objects.update(mail_when_high=False)
    with committed():
        make_high(session)
    assert outgoing.outbox == []


def test_nobody_is_written_to_below_high(session, committed):
    with committed():
        record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=START)
    assert outgoing.outbox == []
    assert SessionMonitor.objects.get(pk=session.pk).high_told_at is None


def test_only_those_who_may_see_the_session_are_written_to(session):
    exam, candidate = session.exam, session.candidate.user
    gone, demoted = make_user(Role.REVIEWER), make_user(Role.REVIEWER)
    gone.is_active = False
    gone.save()
    demoted.groups.clear()
    exam.reviewers.add(gone, demoted, candidate, exam.owner)
    make_user(Role.ADMIN)
    assert [user.email for user in mail.people_to_tell(session)] == ["reviewer@example.com", "teacher@example.com"]


def test_everybody_is_written_to_in_their_language(session, committed):
    session.exam.owner.language = "bn"
    session.exam.owner.save()
    with committed():
        make_high(session)
    body = {message.to[0]: message.body for message in outgoing.outbox}
    assert "পরীক্ষার ট্যাব ছেড়ে যাওয়া: 9" in body["teacher@example.com"]
    assert "Left the exam tab: 9" in body["reviewer@example.com"]


def test_a_title_cannot_add_lines_to_the_head(session):
    Exam.objects.update(title="Algebra\nBcc: everybody@example.com")
    assert mail.mail_high(session_id=session.pk) == []
    assert {message.subject for message in outgoing.outbox} == {
        "High risk in a session of Algebra Bcc: everybody@example.com"
    }


def test_a_session_that_is_gone_is_told_to_nobody(session):
    assert mail.mail_high(session_id=session.exam_id) == []
    assert outgoing.outbox == []


@pytest.fixture
def server(settings):
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.address
        yield server


def send_again(minutes):
    """Do what the sweep has done so many minutes later; says whether anything is still due then or after."""
    now = timezone.now() + timedelta(minutes=minutes)
    for session_id in mail.sessions_with_mail_due(now=now):
        mail.send_due(session_id=session_id, now=now)
    return SessionMonitor.objects.filter(mail_due_at__isnull=False).exists()


def test_a_mail_that_is_refused_is_sent_again_and_the_others_are_not(session, committed, server):
    server.refusals["reviewer@example.com"] = 2
    with committed():
        make_high(session)
    assert [to for to, _message in server.taken] == ["teacher@example.com"]
    assert send_again(1)  # not yet
    assert server.refusals["reviewer@example.com"] == 1
    assert send_again(3)
    assert not send_again(10)
    assert [to for to, _message in server.taken] == ["teacher@example.com", "reviewer@example.com"]
    subjects = {str(make_header(decode_header(message["Subject"]))) for _to, message in server.taken}
    assert subjects == {"High risk in a session of Algebra & more"}
    assert server.refusals["reviewer@example.com"] == -1


def test_a_mail_server_that_is_away_harms_nobody(session, committed, server, caplog):
    server.close()
    with committed():
        make_high(session)
    assert [send_again(2.0**tries + 2.0**tries) for tries in range(1, mail.MOST_TRIES + 2)][-1] is False
    warned = [record for record in caplog.records if record.name == "monitoring.mail"]
    assert len(warned) == 2 * mail.MOST_TRIES
    assert session.assessments.get().risk_level == "High"


def test_a_mail_is_not_lost_with_the_message_that_asks_for_it(session, django_capture_on_commit_callbacks, monkeypatch):
    monkeypatch.setattr(queue, "send", lambda task, session_id: None)  # the broker is away
    with django_capture_on_commit_callbacks(execute=True):
        make_high(session)
    assert outgoing.outbox == []
    asked = []
    monkeypatch.setattr(queue, "send", lambda task, session_id: asked.append((task, session_id)))
    tasks.sweep()
    assert asked == [(queue.MAIL_HIGH, session.pk)]
    tasks.mail_high(str(session.pk))
    tasks.mail_high(str(session.pk))  # a message too many
    assert len(outgoing.outbox) == 2
    asked.clear()
    tasks.sweep()
    assert asked == []


def test_of_two_processes_that_come_at_once_one_sends(session, committed, monkeypatch):
    sent = []

    def send_meanwhile(**_which):
        sent.append(1)
        mail.send_due(session_id=session.pk)  # another process, while this one talks to the mail server
        return []

    monkeypatch.setattr(mail, "mail_high", send_meanwhile)
    with committed():
        make_high(session)
    assert sent == [1]
