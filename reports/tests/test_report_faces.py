"""The faces side by side in the report, and that a report goes with the face that it shows."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.storage import default_storage

from accounts.consents import withdraw_consent
from accounts.face import ExaminedFace, remove_face, store_face
from accounts.models import FaceEnrolment
from monitoring.models import SessionMonitor
from monitoring.tests.factories import make_candidate, make_session
from monitoring.tests.test_identity_pictures import give_faces
from reports import pdf
from reports.context import build_context
from reports.models import SessionReport
from reports.services import make_report, render_pdf, sessions_without_report
from reports.tests.test_reports import picture, watched_session
from vision.analyzers.identity import NOBODY

pytestmark = pytest.mark.django_db
MADE_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def session():
    session = give_faces(watched_session(), enrolled=picture(10), start=picture(20))
    session.refresh_from_db()
    return session


def html_of(session, language=""):
    return pdf.render_html(build_context(session, language=language), generated_at=MADE_AT, language=language)


def test_it_shows_all_three_beside_each_other_with_alternative_texts(session):
    faces = build_context(session).faces
    assert [face.title for face in faces] == ["Enrolled", "At the start", "At the end"]
    assert [face.picture.data for face in faces[:2]] == [picture(10), picture(20)]
    text = html_of(session)
    assert text.count('<div class="face">') == 3
    for alt in ("The enrolled face, of 2026-03-01", "The face at the system check, of ", "Kept picture of: "):
        assert f'alt="{alt}' in text
    bangla = html_of(session, "bn")
    assert bangla.count('<div class="face">') == 3 and "The enrolled face" not in bangla


def test_the_pdf_holds_each_picture_once(session):
    data = render_pdf(session)
    # Two faces and one piece of evidence, which is also the face at the end.
    assert data.count(b"/Subtype /Image") == 3
    assert picture(10) in data and picture(20) in data


def test_it_says_so_where_none_is_kept():
    session = make_session(candidate=make_candidate(), ended_after_s=30)
    faces = build_context(session).faces
    assert [face.picture for face in faces] == [None, None, None]
    assert "No picture is kept of an enrolled face." in html_of(session)
    assert html_of(session).count("Not kept") == 3


def test_another_face_makes_another_content_and_looking_makes_none(session):
    before = build_context(session).content_sha256()
    assert build_context(session, pictures=False).content_sha256() == before
    face = ExaminedFace(NOBODY, {}, picture(30))
    store_face(user=session.candidate.user, face=face, actor=None, ip_address=None)
    assert build_context(session).content_sha256() != before


@pytest.mark.database
@pytest.mark.parametrize("how", [withdraw_consent, remove_face])
def test_a_report_goes_with_the_enrolled_face_and_is_made_again_without_it(
    session, how, django_capture_on_commit_callbacks
):
    report, others = make_report(session=session), make_report(session=watched_session("Candidate Two", times=2))
    assert default_storage.exists(report.file.name)
    more = {"purpose": "face"} if how is withdraw_consent else {"actor": None}
    with django_capture_on_commit_callbacks(execute=True):
        how(user=session.candidate.user, ip_address=None, **more)
    assert list(SessionReport.objects.all()) == [others]
    assert not default_storage.exists(report.file.name)
    SessionMonitor.objects.filter(pk=session.pk).update(finished_at=MADE_AT)
    assert sessions_without_report() == [session.pk]
    again = build_context(session)
    assert [face.picture is not None for face in again.faces] == [False, True, True]


@pytest.mark.database
def test_a_report_stays_where_the_face_that_goes_had_no_picture(session):
    FaceEnrolment.objects.update(picture=None)
    make_report(session=session)
    remove_face(user=session.candidate.user, actor=None, ip_address=None)
    assert SessionReport.objects.exists()


@pytest.mark.database
def test_a_report_goes_with_a_later_face_without_a_picture_if_it_may_show_an_earlier_one(session):
    report = make_report(session=session)
    FaceEnrolment.objects.update(picture=None, enrolled_at=report.generated_at + timedelta(seconds=1))
    remove_face(user=session.candidate.user, actor=None, ip_address=None)
    assert not SessionReport.objects.exists()


@pytest.mark.database
def test_a_face_that_goes_while_a_report_is_made_does_not_come_back_with_it(session, monkeypatch):
    render, shown = pdf.render, []

    def remove_meanwhile(context, **options):
        shown.append(context.faces[0].picture is not None)
        if len(shown) == 1:
            remove_face(user=session.candidate.user, actor=None, ip_address=None)
        return render(context, **options)

    monkeypatch.setattr(pdf, "render", remove_meanwhile)
    report = make_report(session=session)
    assert shown == [True, False]
    assert report.status == SessionReport.Status.READY
    folder, name = report.file.name.rsplit("/", 1)
    assert default_storage.listdir(folder)[1] == [name]
