"""Whose face may be compared during an exam, and whose may not."""

import importlib

import numpy as np
import pytest
from cryptography.fernet import Fernet
from django.apps import apps

from accounts.consents import give_consent, withdraw_consent
from accounts.enrolled import faces_for_exams
from accounts.face import remove_face
from accounts.face_crypto import seal_embedding
from accounts.models import Consent, ConsentText, FaceEnrolment, User
from vision.analyzers.identity import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.database]
FACE = np.linspace(-0.2, 0.2, 128)


@pytest.fixture
def ada() -> User:
    """A user with an enrolled face who agreed to nothing yet."""
    user = User.objects.create_user("ada@example.com", "a-long-password")
    FaceEnrolment.objects.create(user=user, embedding=seal_embedding(user_id=user.pk, embedding=FACE), model=MODEL)
    return user


def agree(user: User, version: int) -> None:
    """Agree to a version that may be an old one by now."""
    Consent.objects.create(user=user, text=ConsentText.objects.get(purpose="face", version=version))


def publish(*, in_exams: bool) -> None:
    words = {"title": "New", "text": "New text", "title_bn": "নতুন", "text_bn": "নতুন লেখা"}
    ConsentText.objects.create(purpose="face", version=4, in_exams=in_exams, **words)


def is_comparable(user: User) -> bool:
    return user.pk in faces_for_exams([user.pk])


def test_it_gives_the_face_of_whoever_agreed_to_it_with_one_query(ada, django_assert_num_queries):
    give_consent(user=ada, purpose="face", version=3)
    with django_assert_num_queries(1):
        faces = faces_for_exams([ada.pk])
    assert set(faces) == {ada.pk}
    assert np.allclose(faces[ada.pk], FACE, atol=1e-6)


def test_it_gives_no_face_without_consent(ada):
    assert not is_comparable(ada)


def test_who_agreed_to_signing_in_alone_is_not_compared(ada):
    agree(ada, 1)
    assert not is_comparable(ada)
    assert FaceEnrolment.objects.filter(user=ada).exists()  # they may go on signing in


def test_it_gives_no_face_once_consent_is_withdrawn_or_the_face_removed(ada):
    give_consent(user=ada, purpose="face", version=3)
    assert is_comparable(ada)
    remove_face(user=ada, actor=ada, ip_address=None)
    assert not is_comparable(ada)
    FaceEnrolment.objects.create(user=ada, embedding=seal_embedding(user_id=ada.pk, embedding=FACE), model=MODEL)
    withdraw_consent(user=ada, purpose="face")
    assert not is_comparable(ada)
    assert not FaceEnrolment.objects.exists()


def test_consent_to_proctoring_is_no_consent_to_this(ada):
    give_consent(user=ada, purpose="proctoring", version=3)
    ConsentText.objects.filter(purpose="proctoring").update(in_exams=True)
    assert not is_comparable(ada)


@pytest.mark.parametrize("in_exams", [True, False])
def test_a_newer_text_ends_it_where_it_names_exams_no_more(ada, in_exams):
    give_consent(user=ada, purpose="face", version=3)
    publish(in_exams=in_exams)
    assert is_comparable(ada) is in_exams


def test_it_gives_nobody_elses_face_and_none_that_cannot_be_read(ada, settings):
    give_consent(user=ada, purpose="face", version=3)
    bob = User.objects.create_user("bob@example.com", "a-long-password")
    give_consent(user=bob, purpose="face", version=3)
    FaceEnrolment.objects.create(user=bob, embedding=FaceEnrolment.objects.get(user=ada).embedding, model=MODEL)
    assert set(faces_for_exams([ada.pk, bob.pk])) == {ada.pk}
    FaceEnrolment.objects.filter(user=ada).update(model="another")
    assert faces_for_exams([ada.pk]) == {}
    FaceEnrolment.objects.filter(user=ada).update(model=MODEL)
    key, settings.FACE_KEY = settings.FACE_KEY, Fernet.generate_key().decode()
    assert faces_for_exams([ada.pk]) == {}
    settings.FACE_KEY = key
    assert is_comparable(ada)
    settings.FACE_KEY = ""
    assert faces_for_exams([ada.pk]) == {}


def test_a_switched_off_account_is_not_compared(ada):
    give_consent(user=ada, purpose="face", version=3)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert not is_comparable(ada)


def test_an_institutions_own_text_stays_the_one_that_counts():
    migration = importlib.import_module("accounts.migrations.0006_face_in_exams")
    ConsentText.objects.filter(purpose="face", version__gte=2).delete()
    words = {"title": "Ours", "text": "Ours", "title_bn": "আমাদের", "text_bn": "আমাদের"}
    ConsentText.objects.create(purpose="face", version=2, **words)
    migration.publish(apps, None)
    newest = ConsentText.objects.filter(purpose="face").latest("version")
    assert (newest.version, newest.text, newest.in_exams) == (2, "Ours", False)


def test_the_migration_may_run_again():
    migration = importlib.import_module("accounts.migrations.0006_face_in_exams")
    ConsentText.objects.filter(purpose="face").update(in_exams=False)  # as after going back
    migration.publish(apps, None)
    assert dict(ConsentText.objects.filter(purpose="face").values_list("version", "in_exams")) == {
        1: False,
        2: True,
        3: False,
    }


def test_the_text_says_what_happens_in_exams_in_both_languages():
    text = ConsentText.objects.get(purpose="face", version=2)
    assert "During an exam." in text.text and "পরীক্ষা চলাকালে।" in text.text_bn
    assert "compared in no exam" in text.text and "কোনো পরীক্ষাতেই আপনার মুখ মিলিয়ে দেখা হয় না" in text.text_bn
