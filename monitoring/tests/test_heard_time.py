"""Who spoke when, in the picture of a session's time: from stored chunks to rows and shapes."""

import pytest

from exams.policy import Policy, Thresholds, parse_policy
from monitoring.heard_time import MOST_LEVELS, sound_from
from monitoring.models import Observation
from monitoring.session_strips import observed_in
from monitoring.store import moment_of
from monitoring.tests.factories import START, make_session
from monitoring.timeline import Sound, Spoken, Timeline, Who, draw
from vision.types import Heard, Level, Turn

pytestmark = pytest.mark.django_db
AT = START.timestamp()


def keep(session, *turns, seq=0, knows=False, levels=(-40.0, -30.0)):
    """Store a chunk of sound as it is when it was examined."""
    at = AT + 10 * seq
    heard = Heard(seq, at, 10.0, Level(-35, -30, -60, 0.0, levels), (), turns, 1, knows)
    rows = {"stream": "audio", "seq": seq, "captured_at": moment_of(at), "usable": True, "facts": heard.to_facts()}
    Observation.objects.create(session=session, **rows)


def heard_in(session, policy=None):
    return sound_from(observed_in(session, Thresholds()).heard, policy or Policy())


def test_turns_of_one_voice_are_joined_across_chunks():
    session = make_session()
    keep(session, Turn(1.0, 9.9, 1, 0.9))
    keep(session, Turn(0.2, 3.0, 1, 0.9), Turn(3.2, 5.0, 2, 0.9), seq=1)
    assert heard_in(session).turns == (Spoken(1.0, 13.0, Who.NUMBERED, 1), Spoken(13.2, 15.0, Who.NUMBERED, 2))


def test_a_known_voice_is_told_from_another_by_the_policy():
    session = make_session()
    keep(session, Turn(0, 2, 0, 0.9, own=0.8), Turn(4, 6, 1, 0.9, own=0.5), Turn(8, 8.5, None, 0.0), knows=True)
    assert [turn.who for turn in heard_in(session).turns] == [Who.CANDIDATE, Who.ANOTHER, Who.UNKNOWN]
    strict = parse_policy({"thresholds": {"own_voice": 0.9}})
    assert [turn.who for turn in heard_in(session, strict).turns] == [Who.ANOTHER, Who.ANOTHER, Who.UNKNOWN]


def test_a_long_curve_keeps_what_was_loud():
    session = make_session()
    for seq in range(200):
        keep(session, seq=seq, levels=(-50.0,) * 9 + (-3.0 if seq == 77 else -50.0,))
    levels = heard_in(session).levels
    assert len(levels) <= MOST_LEVELS and max(levels, key=lambda item: item[1])[1] == -3.0


def test_there_is_none_where_nothing_was_listened_to():
    session = make_session()
    assert heard_in(session) is None
    keep(session, Turn(0, 2, 1, 0.9))
    assert heard_in(session, Policy().without(["sound"])) is None


def test_every_voice_is_drawn_with_words_of_its_own():
    turns = (
        Spoken(0, 2, Who.CANDIDATE),
        Spoken(3, 4, Who.ANOTHER),
        Spoken(5, 6, Who.NUMBERED, 2),
        Spoken(7, 8, Who.UNKNOWN),
    )
    timeline = Timeline(10, (), (), Sound(turns, ((0.0, -60.0), (1.0, 0.0))))
    drawing = draw(timeline, description="Timeline")
    for words in (
        "The candidate's voice, 0:00 – 0:02",
        "Another voice, 0:03",
        "Voice 2, 0:05",
        "A voice, not told whose",
    ):
        assert words in drawing
    assert "tl-level" in drawing and "tl-level" not in draw(Timeline(10, (), ()), description="Timeline")
