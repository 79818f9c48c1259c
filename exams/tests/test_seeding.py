"""Exams from a file."""

import json

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Candidate, User
from exams.models import Exam, ExamAssignment, Problem, ProctoringPolicy

pytestmark = pytest.mark.django_db
FILE = """
exams:
  - code: maths
    title: Maths
    owner: lecturer@example.com
    opens_at: 2026-01-31T09:00:00Z
    closes_at: "2026-01-31T12:00:00Z"
    policy: {kinds: {PHONE: {hold: 3}}}
    reviewers: [second@example.com]
    problems: [{title: One}, {title: Two, points: 3}]
    candidates: [{email: sitter@example.com, number: "4711", extra_minutes: 10}]
"""


def seed(tmp_path, text, capsys=None):
    path = tmp_path / "exams.yaml"
    path.write_text(text)
    call_command("seed_exams", file=path, json=True)


def counts():
    return [model.objects.count() for model in (Exam, Problem, ProctoringPolicy, ExamAssignment, User, Candidate)]


def test_it_makes_everything_once_and_brings_it_up_to_date(tmp_path, capsys):
    seed(tmp_path, FILE)
    assert counts() == [1, 2, 1, 1, 3, 1]
    seed(tmp_path, FILE.replace("title: Maths", "title: Algebra").replace("hold: 3", "hold: 2"))
    assert counts() == [1, 2, 2, 1, 3, 1]
    exam = Exam.objects.get()
    assert (exam.title, exam.current_policy.version) == ("Algebra", 2)
    assert ExamAssignment.objects.get().extra_minutes == 10
    assert json.loads(capsys.readouterr().out.splitlines()[0])["problems"] == 2


def test_it_makes_the_demonstration_exam_without_a_file():
    call_command("seed_exams")
    call_command("seed_exams")
    assert Exam.objects.get().code == "demo"
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_it_keeps_who_may_sit_an_exam_and_what_is_arranged(tmp_path):
    text = FILE.replace(
        "title: Maths", "title: Maths\n    open_to_all: true\n    max_attempts: 2\n    candidate_sees: nothing"
    )
    arranged = "extra_minutes: 10, time_factor: 1.5, break_minutes: 5, muted: [gaze, PHONE]"
    seed(tmp_path, text.replace("extra_minutes: 10", arranged))
    exam, assignment = Exam.objects.get(), ExamAssignment.objects.get()
    assert (exam.open_to_all, exam.max_attempts, exam.candidate_sees) == (True, 2, "nothing")
    assert (assignment.time_factor, assignment.break_minutes, assignment.muted) == (1.5, 5, ["gaze", "PHONE"])
    seed(tmp_path, FILE)
    assignment.refresh_from_db()
    assert (assignment.extra_minutes, assignment.time_factor, assignment.muted) == (10, 1.0, [])
    assert Exam.objects.get().open_to_all


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("code: maths", "code: not a slug", "exam 1: code: "),
        ("title: Maths", "colour: red", "nobody knows what 'colour' means"),
        ("lecturer@example.com", "nobody", "exam 1: Enter a valid email address"),
        ("hold: 3", "hold: x", "kinds.PHONE.hold must be a whole number"),
        ("{title: One}", "{titel: One}", "problem 1: nobody knows what 'titel' means"),
        ("extra_minutes: 10", "extra_minutes: soon", "exam 1: extra_minutes: "),
        ("12:00:00Z", "noon", "is not a time such as"),
        ("exams:", "exam:", "must hold a list called exams"),
        ("exams:", "exams: [", "is not valid YAML"),
    ],
)
def test_it_says_what_is_wrong_and_makes_nothing(tmp_path, old, new, words):
    with pytest.raises(CommandError, match=words):
        seed(tmp_path, FILE.replace(old, new))
    assert counts() == [0, 0, 0, 0, 0, 0]


def test_it_says_that_a_file_is_missing(tmp_path):
    with pytest.raises(CommandError, match=r"cannot be read: No such file"):
        call_command("seed_exams", file=tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2026-01-31T09:00:00Z", "2026-02-30T09:00:00Z", "cannot be read|not a time"),
        ('"2026-01-31T12:00:00Z"', '"2026-02-30T12:00:00Z"', "is not a time such as"),
        ("[second@example.com]", "5", "reviewers must be a list"),
        ("[second@example.com]", "[5]", "valid email"),
        ("extra_minutes: 10", "extra_minutes: .inf", "exam 1"),
        ("extra_minutes: 10", "time_factor: .nan", "candidate 1: time_factor must be a number"),
        ("extra_minutes: 10", "time_factor: 9", "time_factor: "),
        ("extra_minutes: 10", "break_minutes: -5", "break_minutes: "),
        ("extra_minutes: 10", "muted: gaze", "muted: Muted must be a list"),
        ("extra_minutes: 10", "muted: [[gaze]]", "muted: Muted must be a list"),
        ("title: Maths", "title: Maths\n    max_attempts: 0", "max_attempts: Ensure"),
        ("title: Maths", "title: Maths\n    open_to_all: perhaps", "open_to_all: "),
        ("title: Maths", "title: Maths\n    candidate_sees: all", "candidate_sees: "),
        ("12:00:00Z", "09:00:00Z", "closes_at: An exam closes after it opens"),
        ("points: 3", "points: .inf", "exam 1"),
        ("hold: 3", "hold: .nan", "kinds.PHONE.hold must"),
        ("hold: 3", "hold: .inf", "kinds.PHONE.hold must"),
        ("PHONE: {hold: 3}", "NO: {hold: 3}", "is not the name of a kind"),
        ("code: maths", "code: 101", "code must be text; put it in quotes"),
        ("policy: {kinds: {PHONE: {hold: 3}}}", "policy: {thresholds: {head_yaw: 0}}", "head_yaw must be above 0"),
    ],
)
def test_it_answers_every_odd_value_in_one_sentence(tmp_path, old, new, words):
    assert old in FILE
    with pytest.raises(CommandError, match=words) as error:
        seed(tmp_path, FILE.replace(old, new))
    assert "\n" not in str(error.value)
    assert counts() == [0, 0, 0, 0, 0, 0]


def test_it_takes_an_empty_name_or_statement_for_nothing(tmp_path):
    seed(tmp_path, FILE.replace("{title: One}", "{title: One, statement: }").replace('number: "4711"', "name: "))
    assert Problem.objects.get(number=1).statement == ""
    assert User.objects.get(email="sitter@example.com").full_name == ""
