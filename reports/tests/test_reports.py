"""What a report says, how it becomes a PDF, and how the newest one is kept."""

import dataclasses
import io
import re
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image

from accounts.models import Role
from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import review, services
from monitoring.appeals import appeal_session
from monitoring.models import Evidence, SessionMonitor
from monitoring.tests.factories import (
    START,
    end_session,
    facts,
    make_candidate,
    make_exam,
    make_session,
    make_user,
    watch,
)
from reports import pdf
from reports import services as services_of_reports
from reports.context import build_context
from reports.models import SessionReport
from reports.services import make_report, render_pdf

pytestmark = pytest.mark.django_db
MADE_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BANGLA = "পরীক্ষার্থী ক্ষমা"


def picture(shade: int = 90) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (640, 480), (shade, 120, 150)).save(data, "JPEG")
    return data.getvalue()


def watched_session(name: str = "Candidate One", times: int = 1):
    """A session in which nobody was there for some seconds, several times."""
    session = make_session(make_exam(code=f"algebra-{times}"), make_candidate(full_name=name))
    for number in range(times):
        begin = 30 * number
        away = [facts(begin + at, faces=0, objects={}) for at in range(6)]
        there = [facts(begin + at, objects={"person": 0.9}) for at in range(6, 30)]
        watch(session, *away, *there, pictures={one.seq: lambda n=number: picture(n) for one in away})
    end_session(session, 30 * times)
    session.refresh_from_db()
    return session


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def session():
    return watched_session()


def html_of(session) -> str:
    return pdf.render_html(build_context(session), generated_at=MADE_AT)


def page_count(data: bytes) -> int:
    """Pages say `/Type /Page`; WeasyPrint packs them, so every stream is unpacked first."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", unpacked(data)))


def unpacked(data: bytes) -> bytes:
    parts = [data]
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
        try:
            parts.append(zlib.decompress(match[1]))
        except zlib.error:
            continue
    return b"\n".join(parts)


def test_it_makes_a_pdf_of_three_pages_for_a_short_session(session):
    data = render_pdf(session)
    assert data.startswith(b"%PDF")
    assert page_count(data) == 3


def test_it_makes_the_same_pdf_of_the_same_content_and_time(session):
    first, second = (pdf.render(build_context(session), generated_at=MADE_AT) for _time in range(2))
    assert first == second


def test_it_says_the_same_whoever_asks_and_whenever(session, settings):
    first = build_context(session).content_sha256()
    assert build_context(session).content_sha256() == first
    from django.utils import timezone, translation

    with translation.override("bn"), timezone.override("Asia/Dhaka"):
        assert build_context(session).content_sha256() == first


def test_it_says_something_else_after_a_decision(session):
    before = build_context(session).content_sha256()
    reviewer = make_user(Role.REVIEWER, full_name="Reviewer One")
    review.decide_activity(activity=session.activities.get(), verdict="dismissed", reason="A break.", reviewer=reviewer)
    context = build_context(session)
    assert context.content_sha256() != before
    decision = context.entries[0].activity.decision
    assert decision is not None
    assert (decision.verdict, decision.reason, decision.reviewer) == ("dismissed", "A break.", "Reviewer One")
    assert "A break." in pdf.render_html(context, generated_at=MADE_AT)


def test_it_says_something_else_when_the_evidence_is_another(session):
    before = build_context(session).content_sha256()
    Evidence.objects.update(sha256="0" * 64)
    assert build_context(session).content_sha256() != before


def test_it_writes_down_everything_a_reviewer_asks_for(session):
    reviewer = make_user(Role.REVIEWER, full_name="Reviewer One")
    review.decide_session(session=session, outcome="escalated", reason="Ask the candidate.", reviewer=reviewer)
    text, activity = html_of(session), session.activities.get()
    evidence = Evidence.objects.get()
    for needed in (
        "Candidate One",
        "algebra-1",
        "version 1",
        "2026-03-02 09:00:00 UTC",
        "2026-03-02 12:00:00 UTC",
        "The machine points, a human decides.",
        "Coverage is the share",
        "Confidence is how sure",
        activity.explanation,
        f"evidence:{activity.pk}",
        evidence.sha256[:16],
        'class="timeline"',
        "Ask the candidate.",
    ):
        assert needed in text, needed


def test_it_has_a_bengali_font_in_the_pdf_of_a_bengali_name():
    fonts = set(re.findall(rb"/BaseFont\s*/([\w+#-]+)", unpacked(render_pdf(watched_session(BANGLA)))))
    assert any(b"Bengali" in font for font in fonts), fonts


@pytest.mark.parametrize("damage", ["missing", "changed", "no picture"])
def test_it_notes_evidence_that_cannot_be_shown_instead_of_failing(session, media, damage):
    evidence = Evidence.objects.get()
    path = media / evidence.file.name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"not the picture that was kept")
    if damage == "no picture":
        import hashlib

        Evidence.objects.update(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    (entry,) = build_context(session).entries
    assert entry.picture is not None
    assert entry.picture.data is None
    note = {"missing": "is missing", "changed": "was changed", "no picture": "cannot be shown"}[damage]
    assert note in entry.picture.note
    assert note in html_of(session)
    assert make_report(session=session).status == SessionReport.Status.READY


def test_it_fetches_nothing_but_its_own_evidence(session):
    (entry,) = build_context(session).entries
    assert entry.picture is not None
    fetcher = pdf._fetcher_of({f"evidence:{entry.activity.id}": entry.picture.data})
    assert fetcher.fetch(f"evidence:{entry.activity.id}").read() == entry.picture.data
    for address in ("file:///etc/passwd", "http://127.0.0.1/", "evidence:somebody-else"):
        with pytest.raises(ValueError, match="its own evidence only"):
            fetcher.fetch(address)


def test_it_speaks_bangla_where_asked_to_with_whole_letters_in_the_drawing(session):
    language = "bn"
    context = build_context(session, language=language)
    page = pdf.render_html(context, generated_at=MADE_AT, language=language)
    assert '<html lang="bn">' in page
    drawing = page[page.index("<svg") : page.index("</svg>")]
    label = context.entries[0].activity.label
    assert f">{label}</span>" in page
    assert f">{label}</text>" not in drawing
    report = make_report(session=session, language=language)
    assert report.status == SessionReport.Status.READY
    assert report.content_sha256 == context.content_sha256()


def test_it_says_what_the_candidate_appealed_and_what_came_of_it(session):
    reviewer, other = make_user(Role.ADMIN), make_user(Role.ADMIN)
    review.decide_session(session=session, outcome="concern", reason="Away.", reviewer=reviewer)
    appeal_session(session=session, text="I bent down\nfor a <pencil>.")
    review.decide_session(session=session, outcome="clear", reason="A pencil indeed.", reviewer=other)
    page = html_of(session)
    assert "for a &lt;pencil&gt;." in page
    assert "The outcome was changed" in page


def test_it_escapes_what_candidates_wrote():
    assert "<script>alert" not in html_of(watched_session("<script>alert(1)</script>"))


def test_it_embeds_pictures_small(session):
    (entry,) = build_context(session).entries
    assert entry.picture is not None
    assert entry.picture.data is not None
    with Image.open(io.BytesIO(entry.picture.data)) as small:
        assert max(small.size) <= 560


def test_it_lists_lost_parts_of_the_session():
    session = make_session()
    watch(session, *[facts(at, objects={}) for at in range(5)])
    services.record_event(
        session_id=session.pk,
        event_type="NETWORK_GAP",
        source="server",
        occurred_at=START + timedelta(seconds=5),
        detail={"duration_s": 90, "reason": "no picture came"},
    )
    end_session(session, 120)
    context = build_context(type(session).objects.get(pk=session.pk))
    assert [(gap.offset, gap.duration, gap.reason) for gap in context.gaps] == [
        ("0:05", "1 min 30 s", "no picture came")
    ]
    assert context.unexamined == ("0:09–2:00",)


def test_it_reports_a_session_that_nobody_watched():
    session = make_session()
    session.assessments.all().delete()
    assert "was not watched" in html_of(session)
    assert render_pdf(session).startswith(b"%PDF")


def test_it_keeps_the_newest_pdf_only(session, media):
    first = make_report(session=session)
    second = make_report(session=session)
    assert (first.pk, first.content_sha256) == (second.pk, second.content_sha256)
    assert second.status == SessionReport.Status.READY
    assert (media / second.file.name).read_bytes().startswith(b"%PDF")


def test_it_deletes_the_old_file_once_the_new_one_is_certain(session, media, django_capture_on_commit_callbacks):
    first = make_report(session=session)
    with django_capture_on_commit_callbacks(execute=True):
        second = make_report(session=session)
        assert len(list(media.glob("reports/**/*.pdf"))) == 2
    assert second.file.name != first.file.name
    assert [path.name for path in media.glob("reports/**/*.pdf")] == [second.file.name.rpartition("/")[2]]


def test_it_keeps_the_old_file_and_says_why_when_a_new_one_fails(session, media, monkeypatch):
    ready = make_report(session=session)
    monkeypatch.setattr(pdf, "STYLE_SHEET", "reports/lost.css")
    failed = make_report(session=session)
    assert failed.status == SessionReport.Status.FAILED
    assert "lost.css" in failed.error
    assert failed.file.name == ready.file.name
    assert (media / failed.file.name).exists()


def test_it_asks_for_the_report_when_the_books_of_a_session_are_closed(django_capture_on_commit_callbacks):
    session = make_session()
    move_session(session=session, to=SessionStatus.SUBMITTED, at=START + timedelta(seconds=5))
    # The broker takes the message when the transaction commits; what counts here is that it is asked for.
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        services.finish_monitoring(session_id=session.pk)
    assert callbacks
    callbacks[0]()
    assert SessionReport.objects.get(session=session).status == SessionReport.Status.PENDING


def test_it_makes_a_report_of_two_hundred_activities():
    session = watched_session(times=1)
    context = build_context(session)
    entries = tuple(
        dataclasses.replace(context.entries[0], activity=dataclasses.replace(context.entries[0].activity, offset_s=n))
        for n in range(200)
    )
    data = pdf.render(dataclasses.replace(context, entries=entries), generated_at=MADE_AT)
    assert 30 < page_count(data) < 80
    assert len(data) < 10_000_000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exam": "no-such-exam"}, "There is no exam with the code 'no-such-exam'"),
        ({"session": "no-id"}, "'no-id' is no session id"),
        ({"session": "00000000-0000-0000-0000-000000000001"}, "There is no session 00000000"),
        ({"since": "yesterday"}, "'yesterday' is no date"),
        ({"since": "2026-02-31"}, "'2026-02-31' is no date"),
        ({"output": "x.pdf"}, "--output needs --session"),
    ],
)
def test_it_refuses_bad_input_in_one_sentence(options, sentence):
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command("regenerate_reports", **options)


def test_it_makes_the_reports_that_were_asked_for_again(capsys):
    one, other = watched_session(), watched_session(times=2)
    call_command("regenerate_reports", exam="algebra-2", json=True)
    assert list(SessionReport.objects.values_list("session", flat=True)) == [other.pk]
    call_command("regenerate_reports", since="2026-03-02")
    assert SessionReport.objects.count() == 2
    call_command("regenerate_reports", since="2026-03-03")
    assert "0 reports made" in capsys.readouterr().out
    call_command("regenerate_reports", session=str(one.pk))


def test_it_writes_one_report_to_a_file(session, tmp_path):
    call_command("regenerate_reports", session=str(session.pk), output=str(tmp_path / "a.pdf"))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert not SessionReport.objects.exists()
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("regenerate_reports", session=str(session.pk), output=str(tmp_path / "no-folder" / "a.pdf"))


def test_it_asks_again_for_a_report_that_did_not_come():
    session = make_session(ended_after_s=5)
    assert services_of_reports.sessions_without_report() == []  # it may be on its way
    SessionMonitor.objects.update(finished_at=timezone.now() - timedelta(minutes=5))
    assert services_of_reports.sessions_without_report() == [session.pk]
    services_of_reports.mark_requested(session=session)
    assert services_of_reports.sessions_without_report() == []
    SessionReport.objects.update(requested_at=timezone.now() - timedelta(minutes=5))
    assert services_of_reports.sessions_without_report() == [session.pk]
    make_report(session=session)
    assert services_of_reports.sessions_without_report() == []
