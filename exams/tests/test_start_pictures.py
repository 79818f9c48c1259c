"""The small picture of who began a session: from the system check, with consent only, and gone with the session."""

import io
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image

from accounts.consents import withdraw_consent
from accounts.models import Consent, ConsentText
from exams.check_pictures import CheckPictures, examine
from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus, StartPicture
from exams.services import create_session
from exams.start_pictures import remove_unused, start_picture
from exams.system_check import record_check
from exams.tests.test_check_pictures import POINTS, TOLD, grey
from monitoring.tests.factories import agree, make_candidate, make_exam
from vision.decoding import encode_jpeg
from vision.tests.media import one_man, two_men

pytestmark = [pytest.mark.django_db, pytest.mark.database]
HEAD = b"\xff\xd8 a head"


@pytest.fixture
def candidate():
    return agree(make_candidate())


@pytest.fixture
def session(candidate):
    return create_session(exam=make_exam(), candidate=candidate)


def check(session, head=HEAD):
    return record_check(session=session, measured=TOLD, head=head)


@pytest.mark.parametrize("people", [one_man, two_men])
def test_the_head_of_whoever_sits_nearest_is_cut_out(people):
    picture = people()
    head = examine(TOLD, CheckPictures(camera=encode_jpeg(picture))).head
    shown = Image.open(io.BytesIO(head))
    assert shown.format == "JPEG" and shown.width == shown.height <= 240
    assert shown.width < picture.shape[1]
    again = examine(TOLD, CheckPictures(camera=head)).measured
    assert again["camera"]["faces"] == 1


def test_there_is_none_without_a_face_or_a_picture_of_the_camera():
    assert examine(TOLD, CheckPictures(camera=grey(128))).head is None
    told = TOLD | {"calibration": POINTS}
    assert examine(told, CheckPictures(points=(encode_jpeg(one_man()),) * 5)).head is None


def test_the_last_head_is_kept_encrypted_and_a_check_without_one_takes_none_away(session):
    check(session, HEAD)
    check(session, HEAD + b" later")
    check(session, None)
    assert start_picture(session) == HEAD + b" later"
    assert HEAD not in bytes(StartPicture.objects.get().picture)


@pytest.mark.parametrize("why", ["never agreed", "withdrew", "agreed to an older text", "text keeps none", "no key"])
def test_none_is_kept_without_consent_that_says_so_or_without_a_key(session, settings, why):
    user = session.candidate.user
    if why == "never agreed":
        Consent.objects.all().delete()
    elif why == "withdrew":
        withdraw_consent(user=user, purpose="proctoring")
    elif why == "agreed to an older text":
        Consent.objects.update(text=ConsentText.objects.get(purpose="proctoring", version=2))
    elif why == "text keeps none":
        ConsentText.objects.filter(purpose="proctoring", version=3).update(keeps_picture=False)
    else:
        settings.FACE_KEY = ""
    assert check(session).system_check["passed"] is True
    assert not StartPicture.objects.exists()


def test_none_is_kept_where_nobody_looks_at_pictures(candidate):
    session = create_session(exam=make_exam(), candidate=candidate)
    ExamSession.objects.filter(pk=session.pk).update(muted=list(session.rules.senses))
    check(ExamSession.objects.get(pk=session.pk))
    assert not StartPicture.objects.exists()


def test_it_goes_when_nobody_began_within_a_day_and_stays_while_the_session_is_sat(candidate, session):
    other = create_session(exam=make_exam(), candidate=candidate)
    for one in (session, other):
        check(one)
    move_session(session=ExamSession.objects.get(pk=other.pk), to=SessionStatus.ACTIVE)
    assert remove_unused() == 0
    assert remove_unused(now=timezone.now() + timedelta(hours=25)) == 1
    assert list(StartPicture.objects.values_list("session", flat=True)) == [other.pk]


def test_it_goes_with_its_session(session):
    check(session)
    session.delete()
    assert not StartPicture.objects.exists()


def test_it_opens_under_its_own_key_and_for_its_own_session_only(candidate, session, settings, capsys):
    other = create_session(exam=make_exam(), candidate=candidate)
    for one in (session, other):
        check(one)
    StartPicture.objects.filter(session=other).update(picture=StartPicture.objects.get(session=session).picture)
    assert (start_picture(session), start_picture(other)) == (HEAD, None)
    StartPicture.objects.filter(session=other).delete()
    old, settings.FACE_KEY = settings.FACE_KEY, Fernet.generate_key().decode()
    assert start_picture(session) is None
    with pytest.raises(CommandError, match="1 pictures of system checks were encrypted under a key"):
        call_command("reencrypt_faces")
    settings.FACE_KEY_PREVIOUS = [old]
    call_command("reencrypt_faces")
    settings.FACE_KEY_PREVIOUS = []
    assert start_picture(session) == HEAD
    assert "0 faces and 1 pictures" in capsys.readouterr().out
