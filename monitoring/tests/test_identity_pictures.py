"""The faces side by side on the session page: who may see them, through which addresses, and when they go."""

import time
import uuid
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.consents import current_text, give_consent, withdraw_consent
from accounts.face import ExaminedFace, store_face
from accounts.models import FaceEnrolment, Role
from exams.models import ExamSession, StartPicture
from exams.policy import Thresholds
from exams.start_pictures import keep_start_picture
from monitoring import glimpses
from monitoring.erasure import erase_session
from monitoring.identity_pictures import Which
from monitoring.models import Evidence, SessionMonitor
from monitoring.picture_links import LIFE_S, STEP_S, identity_address_of
from monitoring.picture_models import PictureAccess
from monitoring.retention import remove_evidence, remove_old
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user, two_men_jpeg
from monitoring.tests.test_admin import MAY, page, sign_in, watched_session
from vision.analyzers.identity import NOBODY
from vision.decoding import decode_picture
from vision.types import Frame

pytestmark = pytest.mark.django_db
ENROLLED, STARTED = b"\xff\xd8 the enrolled head", b"\xff\xd8 the head at the start"
KEPT = {"enrolled": ENROLLED, "start": STARTED}


@pytest.fixture(autouse=True)
def places(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    caches["glimpses"].clear()
    yield
    caches["glimpses"].clear()


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def give_faces(session, *, enrolled=ENROLLED, start=STARTED):
    """Have the session's candidate agree to both, enrol a face and take the system check."""
    user = session.candidate.user
    for purpose in ("face", "proctoring"):
        give_consent(user=user, purpose=purpose, version=current_text(purpose).version)
    store_face(user=user, face=ExaminedFace(NOBODY, {}, enrolled), actor=user, ip_address=None)
    FaceEnrolment.objects.filter(user=user).update(enrolled_at=START - timedelta(days=1))
    assert keep_start_picture(session=session, head=start)
    return session


@pytest.fixture
def session(exam):
    return give_faces(watched_session(exam))


@pytest.fixture
def running(exam):
    return make_session(exam, make_candidate())


def door(session, which):
    return reverse("admin:exams_examsession_identity", args=[session.pk, which])


def fetch(client, session, which):
    """Fetch the picture as a browser does; returns the bytes, or the status of what came instead."""
    answer = client.get(door(session, which), follow=True)
    return answer.content if answer.status_code == 200 else answer.status_code


def glimpse(session):
    frame = Frame(1, time.time(), decode_picture(two_men_jpeg()))
    glimpses.keep_picture(session.pk, frame, [], Thresholds())


# --- who may see them, and how ----------------------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize("which", ["enrolled", "start"])
@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_serves_them_to_the_right_people(client, session, who, status, which):
    sign_in(client, who)
    answer = client.get(door(session, which))
    assert answer.status_code == (302 if status == 200 else status)
    assert ("/login/" in answer.headers.get("Location", "")) is (status == 302)
    if status == 200:
        served = client.get(answer["Location"])
        assert (served.status_code, served.content, served["Content-Type"]) == (200, KEPT[which], "image/jpeg")
        assert (served["Cache-Control"], served["X-Content-Type-Options"]) == ("private, no-store", "nosniff")
        assert "sandbox" in served["Content-Security-Policy"]


def test_it_serves_nothing_without_the_permission_to_see_evidence(client, session):
    user = sign_in(client, "owner")
    sealed = identity_address_of(session, Which.ENROLLED, user)
    for role in user.groups.all():
        role.permissions.remove(*role.permissions.filter(codename="view_evidence"))
    assert (client.get(door(session, "enrolled")).status_code, client.get(sealed).status_code) == (404, 404)


def test_it_takes_nothing_by_post(client, session):
    sign_in(client, "owner")
    assert client.post(door(session, "enrolled"), {"picture": "x"}).status_code == 405
    assert fetch(client, session, "enrolled") == ENROLLED


def test_it_knows_no_others(client, session):
    sign_in(client, "owner")
    assert client.get(door(session, "mother")).status_code == 404
    gone = reverse("admin:exams_examsession_identity", args=[uuid.uuid4(), "start"])
    assert client.get(gone).status_code == 404


def test_a_link_expires_and_belongs_to_one_person_and_one_picture(client, exam, session):
    owner = sign_in(client, "owner")
    good = identity_address_of(session, Which.START, owner)
    seal = good.partition("seal=")[2]
    old = identity_address_of(session, Which.START, owner, at=time.time() - LIFE_S - STEP_S)
    other = give_faces(watched_session(exam))
    for address in (old, good[:-1], f"{door(session, 'enrolled')}?seal={seal}", f"{door(other, 'start')}?seal={seal}"):
        answer = client.get(address)
        assert answer.status_code == 410, address
        assert "Open its session again" in answer.content.decode()
    sign_in(client, "assigned reviewer")
    assert client.get(good).status_code == 410
    assert [look.user for look in PictureAccess.objects.all()] == []


@pytest.mark.database
def test_each_look_is_written_down_once_in_a_while(client, session):
    user = sign_in(client, "assigned reviewer")
    for which in ("enrolled", "start", "enrolled"):
        client.get(door(session, which), follow=True, REMOTE_ADDR="192.0.2.7")
    client.head(identity_address_of(session, Which.START, user), REMOTE_ADDR="198.51.100.9")
    looks = list(PictureAccess.objects.order_by("id"))
    assert [(look.user, look.subject, look.what) for look in looks] == [(user, session.candidate.user, "identity")] * 2
    assert len({look.sha256 for look in looks}) == 2
    assert {look.ip_address for look in looks} == {"192.0.2.7"}


def test_there_is_none_where_none_was_kept(client, exam):
    sign_in(client, "owner")
    bare = watched_session(exam)
    assert [fetch(client, bare, which) for which in ("enrolled", "start")] == [404, 404]
    text = client.get(page(bare)).content.decode()
    assert "No picture is kept of an enrolled face." in text
    assert "Kept picture nearest to it" in text
    assert door(bare, "enrolled") not in text and door(bare, "start") not in text
    assert not PictureAccess.objects.exists()


# --- when they go -----------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_the_enrolled_face_is_gone_as_soon_as_consent_is_withdrawn(client, session):
    sign_in(client, "owner")
    assert fetch(client, session, "enrolled") == ENROLLED
    withdraw_consent(user=session.candidate.user, purpose="face")
    assert fetch(client, session, "enrolled") == 404
    assert fetch(client, session, "start") == STARTED
    assert door(session, "enrolled") not in client.get(page(session)).content.decode()


def test_the_enrolled_face_is_not_shown_where_nobody_asks_whose_face_it_is(client, session):
    ExamSession.objects.filter(pk=session.pk).update(muted=["identity"])
    sign_in(client, "owner")
    assert (fetch(client, session, "enrolled"), fetch(client, session, "start")) == (404, STARTED)
    assert door(session, "enrolled") not in client.get(page(session)).content.decode()


@pytest.mark.database
def test_they_go_with_the_evidence_when_its_time_is_over(client, session):
    SessionMonitor.objects.filter(pk=session.pk).update(finished_at=timezone.now())
    remove_evidence(session_id=session.pk)
    assert not StartPicture.objects.exists()
    assert FaceEnrolment.objects.exists()  # it is the candidate's, not the session's, and shown beside it no more
    sign_in(client, "owner")
    assert [fetch(client, session, which) for which in ("enrolled", "start")] == [404, 404]
    assert door(session, "enrolled") not in client.get(page(session)).content.decode()


def test_the_round_takes_those_along_that_nobody_began_with(session):
    ExamSession.objects.filter(pk=session.pk).update(started_at=None, ended_at=None, status="checking_in")
    remove_old()
    assert StartPicture.objects.exists()
    StartPicture.objects.update(taken_at=timezone.now() - timedelta(days=2))
    remove_old()
    assert not StartPicture.objects.exists()


@pytest.mark.database
def test_nothing_is_left_when_session_candidate_and_account_are_erased(session):
    candidate = session.candidate
    erase_session(session=session)
    assert not StartPicture.objects.exists()
    candidate.delete()
    candidate.user.delete()
    assert not FaceEnrolment.objects.exists()


# --- what the page says -----------------------------------------------------------------------------------------------


def test_the_page_shows_all_three_with_what_they_are_and_when(client, session):
    session.system_check = {"passed": True, "findings": ["too_dark"], "measured": {}}
    session.save()
    sign_in(client, "owner")
    text = client.get(page(session)).content.decode()
    assert text.count('<figure class="face"') == 3
    for needed in (
        f'src="{door(session, "enrolled")}" alt="The enrolled face, of 2026-03-01 09:00. Opens the full picture."',
        f'src="{door(session, "start")}" alt="The face at the system check, of ',
        "Enrolled on 2026-03-01 09:00.",
        "From the system check, ",
        "What the system check found: The picture is very dark.",
        "Kept picture of: ",
    ):
        assert needed in text, needed
    assert "data-live" not in text
    FaceEnrolment.objects.update(enrolled_at=timezone.now())
    ExamSession.objects.filter(pk=session.pk).update(status="submitted", ended_at=START + timedelta(minutes=1))
    assert "That was after this session." in client.get(page(session)).content.decode()


def test_the_page_asks_no_more_of_the_database_for_them(client, exam, session):
    bare = watched_session(exam)
    sign_in(client, "owner")

    def queries(of):
        with CaptureQueriesContext(connection) as made:
            assert client.get(page(of)).status_code == 200
        return len(made)

    queries(bare)
    assert queries(session) == queries(bare)


def test_serving_costs_the_same_with_fifty_sessions_as_with_one(client, exam, session):
    sign_in(client, "owner")

    def queries():
        with CaptureQueriesContext(connection) as made:
            assert fetch(client, session, "enrolled") == ENROLLED
        return len(made)

    queries()
    one = queries()
    for _number in range(49):
        make_session(exam, make_candidate())
    assert queries() == one <= 20


# --- right now --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_serves_the_newest_picture_of_a_running_session_to_the_right_people(client, running, who, status):
    glimpse(running)
    sign_in(client, who)
    answer = client.get(door(running, "now"))
    assert answer.status_code == (302 if status == 200 else status)
    if status == 200:
        served = client.get(answer["Location"])
        assert (served.status_code, served["Cache-Control"]) == (200, "private, no-store")
        assert served.content == glimpses.pictures_of([running.pk])[running.pk].jpeg


def test_asking_for_the_newest_picture_has_it_made_and_is_one_look(client, running):
    sign_in(client, "owner")
    assert fetch(client, running, "now") == 204
    assert glimpses.watched([running.exam_id]) == {running.exam_id}
    assert not PictureAccess.objects.exists()
    for _time in range(2):
        glimpse(running)
        assert fetch(client, running, "now").startswith(b"\xff\xd8")
        time.sleep(0.01)
    assert [(look.what, look.sha256) for look in PictureAccess.objects.all()] == [("identity", "")]


def test_there_is_no_now_once_it_is_over(client, exam):
    over = watched_session(exam)
    glimpse(over)
    sign_in(client, "owner")
    if over.is_open:
        ExamSession.objects.filter(pk=over.pk).update(status="submitted", ended_at=timezone.now())
    assert fetch(client, over, "now") == 204
    assert glimpses.watched([over.exam_id]) == set()


def test_the_page_of_a_running_session_shows_the_newest_picture_or_else_the_last_kept_one(client, exam):
    session = watched_session(exam)
    if not session.is_open:
        ExamSession.objects.filter(pk=session.pk).update(status="active", ended_at=None)
    sign_in(client, "owner")
    text = client.get(page(session)).content.decode()
    assert f'data-live="{door(session, "now")}"' in text
    assert f'src="{door(session, "now")}"' not in text
    assert reverse("admin:monitoring_evidence_picture", args=[Evidence.objects.get().pk]) in text
    glimpse(session)
    text = client.get(page(session)).content.decode()
    assert f'src="{door(session, "now")}"' in text
    assert "Live: the newest picture, at most a minute old." in text
