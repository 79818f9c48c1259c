"""From what was heard in a chunk to yes, no or unknown, second by second."""

from dataclasses import replace

import pytest

from exams.kinds import Kind
from exams.policy import parse_policy
from monitoring import rules
from monitoring.sound_cues import heard_moments
from monitoring.sounds import fold_sound
from vision.types import Heard, Level, Sense, Speech, Turn

QUIET = Level(rms=-50.0, loudest=-45.0, floor=-60.0, clipped=0.0, curve=(-50.0,) * 4)
NOTHING = Heard(seq=0, captured_at=100.0, duration_s=4.0, level=QUIET, speech=(), turns=(), voices=0)
POLICY = parse_policy({"kinds": {"BACKGROUND_VOICE": {"enabled": True}}})


def said(heard, kind):
    return [moment.cues[kind].value for moment in heard_moments(heard, POLICY)]


def test_a_chunk_is_as_many_moments_as_it_has_seconds():
    moments = list(heard_moments(replace(NOTHING, duration_s=2.5), POLICY))
    assert [moment.at for moment in moments] == [100.0, 101.0, 102.0]
    assert [moment.at for moment in heard_moments(replace(NOTHING, duration_s=2.1), POLICY)] == [100.0, 101.0]
    assert all(moment.heard and moment.senses == {Sense.LEVEL, Sense.SPEECH, Sense.SPEAKERS} for moment in moments)


@pytest.mark.parametrize(
    ("heard", "kind", "expected"),
    [
        (NOTHING, Kind.SPEECH, [False] * 4),
        (replace(NOTHING, speech=(Speech(0.9, 2.5, 0.9),)), Kind.SPEECH, [False, True, True, False]),
        (replace(NOTHING, speech=(Speech(0.0, 4.0, 0.4),)), Kind.SPEECH, [False] * 4),
        (replace(NOTHING, speech=None), Kind.SPEECH, [None] * 4),
        (
            replace(NOTHING, level=replace(QUIET, curve=(-50, -10, -50, -50))),
            Kind.LOUD_NOISE,
            [False, True, False, False],
        ),
        (
            replace(NOTHING, level=replace(QUIET, curve=(-10,) * 4), speech=(Speech(1.0, 3.0, 0.9),)),
            Kind.LOUD_NOISE,
            [True, False, False, True],
        ),
        (replace(NOTHING, level=replace(QUIET, curve=(-10,) * 4), speech=None), Kind.LOUD_NOISE, [None] * 4),
        (
            replace(NOTHING, level=replace(QUIET, curve=(-100, -81, -79, -50))),
            Kind.MIC_SILENT,
            [True, True, False, False],
        ),
        (replace(NOTHING, level=None), Kind.MIC_SILENT, [None] * 4),
        (replace(NOTHING, voices=2, turns=(Turn(0, 2, 1, 0.9),)), Kind.MULTIPLE_VOICES, [True, True, False, False]),
        (replace(NOTHING, voices=1, turns=(Turn(0, 2, 1, 0.9),)), Kind.MULTIPLE_VOICES, [False] * 4),
        (replace(NOTHING, turns=None, voices=None), Kind.MULTIPLE_VOICES, [None] * 4),
        (replace(NOTHING, turns=(Turn(0, 2, 1, 0.9),)), Kind.BACKGROUND_VOICE, [None] * 4),
        (
            replace(
                NOTHING,
                turns=(Turn(0, 1, 0, 0.9, 0.68), Turn(1, 2, 1, 0.9, 0.67), Turn(2, 3, None, 0.0)),
                knows_candidate=True,
            ),
            Kind.BACKGROUND_VOICE,
            [False, True, None, False],
        ),
    ],
)
def test_each_second_is_answered_for_itself(heard, kind, expected):
    assert said(heard, kind) == expected


def test_sound_and_pictures_each_have_their_own_time():
    """Sound is examined apart: neither waits for the other, and neither makes the other come too late."""
    state = rules.initial_state()
    state, _ = rules.step(state, rules.Moment(500.0, 1, {}, frozenset({Sense.FACES})), POLICY)
    spoken = replace(NOTHING, speech=(Speech(0.0, 4.0, 0.9),))
    state, changes = fold_sound(state, spoken, POLICY)
    assert (changes[0].action, changes[0].kind, changes[0].started_at) == ("open", "SPEECH", 100.0)
    state, _ = rules.step(state, rules.Moment(502.0, 2, {}, frozenset({Sense.FACES})), POLICY)
    assert state["observed"] == {"faces": 2.0, "level": 3.0, "speech": 3.0, "speakers": 3.0}
    assert rules.reached(state) == 502.0
    state, again = fold_sound(state, replace(spoken, seq=1, captured_at=90.0), POLICY)
    assert again == []


def test_what_is_open_ends_with_the_session_whichever_way_it_was_noticed():
    state, _ = fold_sound(rules.initial_state(), replace(NOTHING, speech=(Speech(0.0, 4.0, 0.9),)), POLICY)
    _state, changes = rules.finish(state, 104.0, POLICY)
    assert [(change.kind, change.action, change.ended_at) for change in changes] == [("SPEECH", "close", 104.0)]


def test_facts_survive_being_stored():
    heard = replace(
        NOTHING,
        speech=(Speech(0.5, 1.5, 0.9),),
        turns=(Turn(0.5, 1.5, None, 0.7, 0.5),),
        voices=2,
        knows_candidate=True,
    )
    assert Heard.from_facts(heard.to_facts(), seq=0, captured_at=100.0) == heard
    unheard = Heard(seq=1, captured_at=3.0, duration_s=0.5)
    assert Heard.from_facts(unheard.to_facts(), seq=1, captured_at=3.0) == unheard
