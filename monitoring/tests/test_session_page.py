"""The session page of the reviewer's console: what it shows, what it costs, and what it does when told to."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from exams.models import Problem
from monitoring.activity_cards import NUMBERS, models_text, numbers_of, rule_text
from monitoring.models import Assessment, Evidence, Observation, ReviewDecision, ReviewerNote, Silence
from monitoring.notes import add_note
from monitoring.services import record_event
from monitoring.tests.factories import START, facts, make_exam, make_session, make_user, watch
from monitoring.tests.test_admin import MAY, decide_address, page, queries_of, sign_in, watched_session
from monitoring.tests.test_answer_versions import hand_in
from reports.models import SessionReport

pytestmark = pytest.mark.django_db
MOST_QUERIES = 15


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


@pytest.fixture
def session(exam):
    return watched_session(exam)


def address(session, what):
    return reverse(f"admin:exams_examsession_{what}", args=[session.pk])


def sent_to(session, what):
    """Return what is sent to each of the page's views, and takes effect."""
    activity = str(session.activities.get().pk)
    return {
        "decide_many": {"activities": [activity], "verdict": "dismissed", "reason": "Allowed."},
        "note": {"activity": activity, "at": "0:05", "text": "A break."},
    }[what]


def kept():
    return ReviewDecision.objects.count() + ReviewerNote.objects.count()


# --- the views: shown, acting, refusing -------------------------------------------------------------------------------

WRITING = ["decide_many", "note"]


@pytest.mark.database
@pytest.mark.parametrize(("who", "status"), [(who, 302 if status == 200 else status) for who, status in MAY])
@pytest.mark.parametrize("what", WRITING)
def test_it_takes_what_is_sent_from_the_right_people(client, session, who, status, what):
    sign_in(client, who)
    answer = client.post(address(session, what), sent_to(session, what))
    assert answer.status_code == status
    assert kept() == (1 if dict(MAY)[who] == 200 else 0)
    if dict(MAY)[who] == 200:
        assert answer["Location"].startswith(page(session))


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_shows_answers_to_the_right_people(client, session, who, status):
    sign_in(client, who)
    assert client.get(address(session, "answers")).status_code == status


@pytest.mark.parametrize("what", [*WRITING, "answers"])
def test_it_refuses_somebody_without_the_permission(client, session, what):
    sign_in(client, "owner").groups.clear()
    answer = client.post(address(session, what), sent_to(session, what)) if what in WRITING else None
    assert (answer or client.get(address(session, what))).status_code == 403
    assert kept() == 0


@pytest.mark.parametrize("what", WRITING)
def test_it_does_nothing_by_get(client, session, what):
    sign_in(client, "owner")
    assert client.get(address(session, what), sent_to(session, what)).status_code == 405
    assert kept() == 0


def test_it_does_nothing_to_answers_by_post(client, session):
    sign_in(client, "owner")
    assert client.post(address(session, "answers")).status_code == 405


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("decide_many", {"activities": []}),
        ("decide_many", {"activities": ["not-an-id"]}),
        ("decide_many", {"verdict": "guilty"}),
        ("decide_many", {"verdict": "withdrawn"}),
        ("decide_many", {"reason": "  "}),
        ("note", {"text": ""}),
        ("note", {"text": "x" * 1001}),
        ("note", {"at": "soon"}),
        ("note", {"at": "1:2:3:4"}),
        ("note", {"at": "-5"}),
        ("note", {"at": "nan"}),
        ("note", {"activity": "not-an-id"}),
    ],
)
def test_it_says_what_is_wrong_and_keeps_nothing(client, session, what, wrong):
    sign_in(client, "owner")
    answer = client.post(address(session, what), sent_to(session, what) | wrong, follow=True)
    assert answer.status_code == 200
    assert "Nothing was " in answer.content.decode()
    assert kept() == 0


def test_activities_of_another_session_are_out_of_reach(client, exam, session):
    other = watched_session(exam).activities.get().pk
    sign_in(client, "owner")
    many = sent_to(session, "decide_many") | {"activities": [str(other)]}
    assert "Nothing was decided" in client.post(address(session, "decide_many"), many, follow=True).content.decode()
    assert client.post(address(session, "note"), sent_to(session, "note") | {"activity": str(other)}).status_code == 404
    assert kept() == 0


def test_it_explains_that_a_verdict_cannot_be_taken_back_where_there_is_none(client, session):
    sign_in(client, "owner")
    activity = session.activities.get().pk
    back = {"activity": activity, "verdict": "withdrawn", "reason": "Taken back."}
    answer = client.post(decide_address(session), back, follow=True)
    assert "There is no verdict to take back." in answer.content.decode()
    client.post(decide_address(session), back | {"verdict": "confirmed"})
    answer = client.post(decide_address(session), back, follow=True).content.decode()
    assert "Taken back" in answer
    assert "1 not decided yet" in answer
    assert list(ReviewDecision.objects.values_list("verdict", flat=True)) == ["confirmed", "withdrawn"]


def test_it_explains_that_nobody_decides_or_notes_on_their_own_session(client, exam):
    session = watched_session(exam, name="Owner")
    owner = sign_in(client, "owner")
    type(session.candidate).objects.filter(pk=session.candidate_id).update(user=owner)
    for what in WRITING:
        answer = client.post(address(session, what), sent_to(session, what), follow=True)
        assert "their own session" in answer.content.decode()
    assert kept() == 0


@pytest.mark.parametrize(("told", "seconds"), [("", 0), ("12", 12), ("1:30", 90), ("1:00:05", 3605), ("0:07.5", 7.5)])
def test_it_reads_a_moment_as_people_write_it(client, session, told, seconds):
    sign_in(client, "owner")
    client.post(address(session, "note"), {"text": "Here.", "at": told})
    assert ReviewerNote.objects.get().at_s == seconds


# --- what the page shows ---------------------------------------------------------------------------------------------


def shown(client, session):
    return client.get(page(session)).content.decode()


def test_it_shows_the_rule_the_numbers_the_models_and_the_policy_behind_an_activity(client, session):
    Assessment.objects.update(detectors={"faces": "MediaPipe face detection", "objects": "yolo11s.onnx"})
    sign_in(client, "owner")
    text = shown(client, session)
    for needed in (
        "Opens when 3 of the last 4 looks within 15 s say yes, over at least 2 s",
        "Here 6 of 6 said yes.",
        "Faces: MediaPipe face detection; Objects and people: yolo11s.onnx",
        "<dd>version 1</dd>",
    ):
        assert needed in text, needed


def test_the_analysis_writes_down_which_models_examined(session):
    detectors = Assessment.objects.get().detectors
    assert detectors["camera"] == "brightness, contrast and sharpness"
    assert not set(detectors) & set(Assessment.objects.get().missing_detectors)


def test_it_puts_rules_numbers_and_models_into_words():
    from exams.kinds import KindRule

    assert "at once" in rule_text(KindRule(instant=True))
    assert models_text("TAB_SWITCH", {}) == "No model: it was reported, not examined."
    models = {"head": "mesh", "eyes": "mesh", "speech": "Silero VAD"}
    assert models_text("LOOKING_AWAY", models) == "Head direction, Eye direction: mesh"
    assert models_text("BACKGROUND_VOICE", models) == "Speech: Silero VAD"
    assert models_text("PHONE", {}) == "Not on record for this session."
    told = {"degrees": 31, "positives": 6, "score": 0.12345, "held": True, "mystery": {"a": [1]}, "nothing": None}
    assert list(numbers_of(told)) == [
        ("degrees", "31"),
        ("score", "0.123"),
        (str(NUMBERS["held"]), "yes"),
        ("mystery", '{"a": [1]}'),
    ]
    ((_name, long),) = numbers_of({"text": "x" * 500})
    assert len(long) == 120


def test_it_says_plainly_what_is_not_kept_of_faces(client, session):
    sign_in(client, "owner")
    text = shown(client, session)
    assert "No picture is kept of an enrolled face" in text
    assert "There is no enrolled face that may be compared during exams." in text
    assert "Kept picture nearest to it" in text
    assert "all others were looked at and forgotten" in text
    Evidence.objects.all().delete()
    assert "No picture is kept: nothing was found" in shown(client, session)


def test_it_shows_how_like_the_face_was_and_what_the_system_check_found(client, session):
    row = Observation.objects.filter(session=session, stream="frame").first()
    Observation.objects.filter(pk=row.pk).update(facts=row.facts | {"identity": {"distance": 0.31, "face_px": 90}})
    session.system_check = {"passed": True, "findings": ["too_dark"], "measured": {}}
    session.save()
    sign_in(client, "owner")
    text = shown(client, session)
    assert text.count("Distance from the enrolled face: 0.31 (at 0:00)") == 2
    assert "A distance of 0.50 or more is unsure, one of 0.58 or more speaks for somebody else." in text
    assert "Pictures of this session were compared with the enrolled face." in text
    assert "The picture is very dark." in text


def test_it_says_once_what_holds_for_several_senses(client, session):
    Assessment.objects.update(coverage={"camera": 0.9, "faces": 0.5})
    sign_in(client, "owner")
    unexamined = client.get(page(session)).context["unexamined"]
    assert ("Head direction, Eye direction" in unexamined[0][1], unexamined[0][0]) == (
        True,
        "Not examined at any time.",
    )
    assert sum("Eye direction" in labels for _note, labels in unexamined) == 1
    assert not any("Faces" in labels for _note, labels in unexamined)


def test_it_shows_notes_where_they_were_written_and_escapes_them(client, session):
    user, activity = sign_in(client, "owner"), session.activities.get()
    add_note(session=session, author=user, text="<script>alert(3)</script>", at_s=65, activity=activity)
    text = shown(client, session)
    assert "<script>alert(3)" not in text
    assert text.count("&lt;script&gt;alert(3)") == 4  # on the timeline and its name, at the activity, in the list
    assert "1:05" in text


def test_every_part_works_without_scripts(client, session):
    sign_in(client, "owner")
    client.post(
        decide_address(session), {"activity": session.activities.get().pk, "verdict": "confirmed", "reason": "x"}
    )
    text = shown(client, session)
    for form in ("decide", "decide_many", "note"):
        assert f'action="{address(session, form)}"' in text
    assert 'value="withdrawn"' in text
    assert 'form="bulk"' in text
    # No script and no style within the page: a strict policy would have them refused.
    inside = text[text.index('id="session-desk"') : text.index("</dialog>")]
    assert "<script" not in inside
    assert "style=" not in inside
    assert "onclick" not in inside


@pytest.mark.parametrize(("group", "gone"), [("decide", 'value="confirmed"'), ("note", 'id="note-form"')])
def test_it_offers_nothing_that_the_reader_may_not_do(client, session, group, gone):
    user = sign_in(client, "owner")
    assert gone in shown(client, session)
    codename = {"decide": "add_reviewdecision", "note": "add_reviewernote"}[group]
    for role in user.groups.all():
        role.permissions.remove(*role.permissions.filter(codename=codename))
    assert gone not in shown(client, session)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def answered(session):
    problem = Problem.objects.create(exam=session.exam, number=1, title="Sum")
    hand_in(session, problem, "one\ntwo\n", "one\n2\n", "one\n2\n<b>three</b>\n")
    return session


def test_it_counts_the_answers_on_the_session_page(client, answered):
    sign_in(client, "owner")
    text = shown(client, answered)
    assert "3 versions, problems: 1" in text
    assert f'href="{address(answered, "answers")}"' in text


def test_it_compares_the_last_two_versions_or_those_asked_for(client, answered):
    sign_in(client, "owner")
    problem = answered.exam.problems.get().pk
    text = client.get(address(answered, "answers")).content.decode()
    assert "&lt;b&gt;three&lt;/b&gt;" in text
    assert text.count("diff-removed") == 0
    text = client.get(address(answered, "answers"), {"problem": problem, "from": 1, "to": 2}).content.decode()
    assert (text.count('class="diff-removed"'), text.count('class="diff-added"')) == (1, 1)
    text = client.get(address(answered, "answers"), {"problem": problem, "from": 1, "to": 1}).content.decode()
    assert text.count('class="diff-added"') == 2


def test_it_says_that_nothing_was_handed_in(client, session):
    sign_in(client, "owner")
    assert "Nothing was handed in." in client.get(address(session, "answers")).content.decode()


@pytest.mark.parametrize(
    "asked", [{"problem": "x"}, {"to": "9"}, {"to": "²"}, {"from": "-1"}, {"to": "2", "from": "0"}]
)
def test_it_says_404_for_versions_that_never_were(client, answered, asked):
    sign_in(client, "owner")
    assert client.get(address(answered, "answers"), asked).status_code == 404


def test_it_says_so_where_versions_are_too_long_to_compare(client, session, monkeypatch):
    monkeypatch.setattr("monitoring.answer_versions.MOST_LINES", 3)
    hand_in(session, Problem.objects.create(exam=session.exam, number=1, title="Sum"), "a\nb\n", "a\nc\n")
    sign_in(client, "owner")
    assert "too long to be compared" in client.get(address(session, "answers")).content.decode()


# --- what it costs ----------------------------------------------------------------------------------------------------


def fill(session, user, count):
    """Give the session so many activities, each with a note and a decision, and silences and answers."""
    for number in range(count):
        at = START + timedelta(seconds=60 + 20 * number)
        record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=at)
        Silence.objects.create(session=session, kind="NETWORK_GAP", started_at=at, ended_at=at + timedelta(seconds=5))
    for activity in session.activities.filter(decisions__isnull=True):
        add_note(session=session, author=user, text="Seen.", at_s=1, activity=activity)
        ReviewDecision.objects.create(
            session=session, activity=activity, verdict="confirmed", reason="Seen.", reviewer=user
        )


@pytest.mark.database
@pytest.mark.parametrize("count", [1, 50])
def test_it_asks_the_database_no_more_than_fifteen_times_however_long_the_session(client, exam, count):
    session = make_session(exam)
    fill(session, sign_in(client, "assigned reviewer"), count)
    watch(session, *[facts(second) for second in range(count)])
    hand_in(session, Problem.objects.create(exam=exam, number=1, title="Sum"), *map(str, range(count)))
    report = SessionReport.objects.create(
        session=session, status="ready", generated_at=timezone.now(), file=ContentFile(b"%PDF", "old.pdf")
    )
    client.get(page(session))
    assert session.activities.count() == count
    assert queries_of(client, page(session)) <= MOST_QUERIES
    assert report.file.name in SessionReport.objects.values_list("file", flat=True)
