"""Answers version by version, and what changed between them."""

import hashlib

import pytest

from exams.models import CodeSubmission, Problem
from monitoring import answer_versions
from monitoring.tests.factories import make_session

pytestmark = pytest.mark.django_db


def hand_in(session, problem, *texts):
    """Keep these versions of an answer."""
    return [
        CodeSubmission.objects.create(
            session=session,
            problem=problem,
            version=number,
            language="python",
            code=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            is_final=number == len(texts),
        )
        for number, text in enumerate(texts, start=1)
    ]


def test_it_lists_answers_by_problem_without_reading_their_texts(django_assert_num_queries):
    session = make_session()
    second, first = (Problem.objects.create(exam=session.exam, number=n, title=f"Task {n}") for n in (2, 1))
    hand_in(session, second, "a")
    hand_in(session, first, "a", "ab", "abc")
    with django_assert_num_queries(1):
        found = answer_versions.answers_of(session)
    assert [one.problem_id for one in found] == [first.pk, second.pk]
    assert [(version.number, version.length, version.is_final) for version in found[0].versions] == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
    ]


def test_it_tells_what_was_added_and_removed_with_a_little_around():
    before = "".join(f"line {number}\n" for number in range(1, 21))
    after = before.replace("line 10\n", "line ten\nand more\n")
    (group,) = answer_versions.compare(before, after)
    told = [(line.before, line.after, line.change, line.text) for line in group]
    assert told[3:6] == [
        (10, None, "removed", "line 10"),
        (None, 10, "added", "line ten"),
        (None, 11, "added", "and more"),
    ]
    assert told[0] == (7, 7, "same", "line 7")
    assert told[-1] == (13, 14, "same", "line 13")


def test_equal_texts_have_nothing_to_tell_and_a_first_version_is_all_new():
    assert answer_versions.compare("a\nb", "a\nb") == []
    assert [line.change for line in answer_versions.whole("a\nb")[0]] == ["added", "added"]


@pytest.mark.parametrize(("lines", "too_long"), [(10, False), (answer_versions.MOST_LINES, True)])
def test_it_says_what_is_too_long_to_be_compared(lines, too_long):
    assert answer_versions.is_too_long("x\n" * lines, "y") is too_long
    assert answer_versions.is_too_long("x\r" * lines, "y") is too_long
