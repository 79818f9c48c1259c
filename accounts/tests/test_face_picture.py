"""The small picture of an enrolled head: kept with consent that says so, encrypted, and gone with the face."""

import importlib
import io
import uuid

import numpy as np
import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from PIL import Image

from accounts.consents import give_consent, withdraw_consent
from accounts.enrolled import enrolled_picture, shown_enrolments
from accounts.face import enrol_face, remove_face
from accounts.face_crypto import UnreadableFace, open_picture, seal_embedding, seal_picture
from accounts.models import Consent, ConsentText, FaceEnrolment, User
from accounts.tests.faces import make_enrolled, make_person
from vision.analyzers import identity
from vision.decoding import decode_picture, encode_jpeg
from vision.loading import models
from vision.tests.heads import straight

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def with_exif(rgb) -> bytes:
    """Return a JPEG that says where it was taken."""
    data, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "at home"
    Image.fromarray(rgb).save(data, "JPEG", quality=95, exif=exif)
    return data.getvalue()


def publish(**says) -> None:
    """Publish a text of the institution's own, to which everybody agrees who is asked."""
    words = {"title": "New", "text": "New text", "title_bn": "নতুন", "text_bn": "নতুন লেখা"}
    ConsentText.objects.create(purpose="face", version=4, in_exams=True, **words, **says)


def test_it_keeps_a_small_picture_of_the_head_without_what_the_file_said_of_itself():
    user = make_enrolled(picture=with_exif(straight()))
    picture = enrolled_picture(user.pk)
    shown = Image.open(io.BytesIO(picture))
    assert (shown.format, shown.size) == ("JPEG", (240, 240))
    assert not shown.getexif() and b"at home" not in picture
    kept, before = (identity.portray(rgb, models()) for rgb in (decode_picture(picture), straight()))
    assert identity.distance(kept.embedding, before.embedding) < 0.3
    assert kept.height_px > 90


def test_it_keeps_the_one_on_which_the_face_is_largest():
    near, far = straight(), np.pad(straight(), ((150, 150), (150, 150), (0, 0)))[::2, ::2]
    pictures = [encode_jpeg(np.ascontiguousarray(rgb)) for rgb in (far, near)]
    user, other = make_person(), make_enrolled("b@example.com", pictures[1])
    enrol_face(user=user, picture=pictures[0], more=pictures[1:], actor=user, ip_address=None)
    assert enrolled_picture(user.pk) == enrolled_picture(other.pk)


def test_what_the_database_holds_is_no_picture_and_opens_for_its_owner_only(settings):
    user, other = make_enrolled(), make_person("b@example.com")
    sealed = bytes(FaceEnrolment.objects.get(user=user).picture)
    assert b"\xff\xd8" not in sealed and b"JFIF" not in sealed
    assert open_picture(owner_id=user.pk, sealed=sealed).startswith(b"\xff\xd8")
    with pytest.raises(UnreadableFace):
        open_picture(owner_id=other.pk, sealed=sealed)
    with pytest.raises(UnreadableFace):
        open_picture(owner_id=user.pk, sealed=seal_embedding(user_id=user.pk, embedding=np.zeros(128)))
    settings.FACE_KEY = Fernet.generate_key().decode()
    assert enrolled_picture(user.pk) is None
    settings.FACE_KEY = ""
    assert enrolled_picture(user.pk) is None


@pytest.mark.parametrize("keeps", [True, False])
def test_it_is_kept_only_under_a_text_that_says_so(keeps):
    publish(keeps_picture=keeps)
    user = make_enrolled()
    assert (FaceEnrolment.objects.get().picture is not None) is keeps
    assert (enrolled_picture(user.pk) is not None) is keeps


def test_who_agreed_to_the_text_before_it_has_none_until_they_agree_and_enrol_again():
    user = User.objects.create_user("ada@example.com", "a-long-password")
    ConsentText.objects.filter(purpose="face", version=3).update(version=9)
    ConsentText.objects.filter(version=9).update(purpose="proctoring")  # as before there was the third text
    give_consent(user=user, purpose="face", version=2)
    enrol_face(user=user, picture=encode_jpeg(straight()), actor=user, ip_address=None)
    ConsentText.objects.filter(version=9).update(purpose="face", version=3)
    assert FaceEnrolment.objects.get().picture is None
    give_consent(user=user, purpose="face", version=3)
    assert enrolled_picture(user.pk) is None
    enrol_face(user=user, picture=encode_jpeg(straight()), actor=user, ip_address=None)
    assert enrolled_picture(user.pk) is not None


def test_enrolling_again_under_a_text_that_keeps_none_leaves_none():
    user = make_enrolled()
    publish(keeps_picture=False)
    assert enrolled_picture(user.pk) is None  # it is not shown any more, though it was agreed to
    give_consent(user=user, purpose="face", version=4)
    enrol_face(user=user, picture=encode_jpeg(straight()), actor=user, ip_address=None)
    assert FaceEnrolment.objects.get().picture is None


def test_it_is_not_shown_where_faces_are_compared_in_no_exam():
    user = make_enrolled()
    ConsentText.objects.filter(purpose="face").update(in_exams=False)
    assert enrolled_picture(user.pk) is None
    assert not shown_enrolments().exists()


@pytest.mark.parametrize("how", ["withdrawn", "removed", "erased"])
def test_it_is_gone_with_the_face(how):
    user, other = make_enrolled(), make_enrolled("b@example.com")
    pk = user.pk
    if how == "withdrawn":
        withdraw_consent(user=user, purpose="face")
    elif how == "removed":
        remove_face(user=user, actor=user, ip_address=None)
    else:
        user.delete()
    assert list(FaceEnrolment.objects.values_list("user", flat=True)) == [other.pk]
    assert (enrolled_picture(pk), enrolled_picture(other.pk) is None) == (None, False)


def test_the_new_key_takes_the_place_of_the_old_one(settings, capsys):
    user = make_enrolled()
    before = enrolled_picture(user.pk)
    settings.FACE_KEY_PREVIOUS, settings.FACE_KEY = [settings.FACE_KEY], Fernet.generate_key().decode()
    call_command("reencrypt_faces")
    settings.FACE_KEY_PREVIOUS = []
    assert enrolled_picture(user.pk) == before
    assert "1 faces and 0 pictures" in capsys.readouterr().out


def test_a_face_without_a_picture_is_encrypted_again_as_well():
    user = make_enrolled()
    FaceEnrolment.objects.update(picture=None)
    call_command("reencrypt_faces")
    assert FaceEnrolment.objects.get(user=user).picture is None


def test_a_picture_is_sealed_with_whose_it_is():
    owner = uuid.uuid4()
    sealed = seal_picture(owner_id=owner, picture=b"\xff\xd8 a picture")
    assert open_picture(owner_id=owner, sealed=sealed) == b"\xff\xd8 a picture"
    with pytest.raises(UnreadableFace):
        open_picture(owner_id=uuid.uuid4(), sealed=sealed)


def test_the_texts_name_the_pictures_in_both_languages():
    face = ConsentText.objects.get(purpose="face", version=3)
    before = ConsentText.objects.get(purpose="face", version=2)
    assert "your head, at most 240 pixels" in face.text and "২৪০ পিক্সেল" in face.text_bn
    assert "not kept. When you sign in" in face.text and "the small picture are then deleted at once" in face.text
    assert "Only these numbers" not in face.text and "শুধু এই সংখ্যাগুলো" not in face.text_bn
    watched = ConsentText.objects.get(purpose="proctoring", version=3)
    assert "one small picture of your head is kept" in watched.text and "after a day" in watched.text
    assert "২৪০ পিক্সেল" in watched.text_bn and "এক দিন পর" in watched.text_bn
    for text in (face, watched):
        assert text.text.count("\n\n") == text.text_bn.count("\n\n")
    assert len(face.text) > len(before.text) and len(face.text_bn) > len(before.text_bn)


def test_an_institutions_own_text_stays_the_one_that_counts_and_keeps_nothing():
    migration = importlib.import_module("accounts.migrations.0008_identity_pictures")
    Consent.objects.all().delete()
    ConsentText.objects.filter(version=3).delete()
    ConsentText.objects.filter(purpose="face", version=2).delete()
    words = {"title": "Ours", "text": "Ours", "title_bn": "আমাদের", "text_bn": "আমাদের"}
    ConsentText.objects.create(purpose="face", version=2, **words)
    for _time in range(2):  # it may run again
        migration.publish(apps, None)
    newest = {
        purpose: ConsentText.objects.filter(purpose=purpose).latest("version") for purpose in ("face", "proctoring")
    }
    assert (newest["face"].text, newest["face"].version, newest["face"].keeps_picture) == ("Ours", 2, False)
    assert (newest["proctoring"].version, newest["proctoring"].keeps_picture) == (3, True)
