"""Tables of observations → activities, and that cutting a stream anywhere changes nothing."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exams.policy import Policy, parse_policy
from monitoring import rules
from monitoring.answers import UNKNOWN, Cue
from monitoring.rules import Moment
from vision.types import Sense

KIND = "NO_FACE"  # default: 3 of 4, at least 2 s apart, gone 2 s, rests 5 s
POLICY = Policy()


def moments(line, kind=KIND, every=1.0):
    """Read `y` yes, `n` no, `?` unknown, `_` no frame at all."""
    values = {"y": True, "n": False, "?": None}
    return [
        Moment(i * every, i, {kind: Cue(values[c], 0.8 if c == "y" else 0.0)}, frozenset({Sense.FACES}))
        for i, c in enumerate(line)
        if c != "_"
    ]


def spans(stream, policy=POLICY, end=None):
    """Run the rules; return (kind, start, end) of every activity."""
    state, found = rules.initial_state(), {}
    for moment in stream:
        state, changes = rules.step(state, moment, policy)
        found.update({(change.kind, change.started_at): change.ended_at for change in changes})
    if end is not None:
        state, changes = rules.finish(state, end, policy)
        found.update({(change.kind, change.started_at): change.ended_at for change in changes})
    return [(kind, start, stop) for (kind, start), stop in sorted(found.items(), key=lambda item: item[0][1])]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nnnnnn", []),
        ("nnynnn", []),  # one picture accuses nobody
        ("nyynnn", []),
        ("nyyynnn", [(1, 4)]),
        ("nyynynnn", [(1, 5)]),  # 3 of the last 4
        ("nynnynny", []),
        ("ny?y?ynnn", [(1, 6)]),  # unknown neither helps nor harms
        ("??????", []),
        ("nyyyynyynnn", [(1, 8)]),  # one no does not close
        ("nyyy????", [(1, None)]),  # unknown closes nothing
        ("nyyynnnyyyyyyyy", [(1, 4), (9, None)]),  # rests 5 s after its end, then may open again
        ("nyyy_______nnn", [(1, 8)]),  # what nobody saw lasts at most max_gap_s past the last yes
        ("y_________y_________y", []),  # too far apart to be one thing
        ("yyynnn", [(0, 3)]),
    ],
)
def test_it_opens_lasts_closes_and_rests_as_the_table_says(line, expected):
    assert spans(moments(line)) == [(KIND, start, stop) for start, stop in expected]


def test_it_closes_what_is_open_when_the_session_ends():
    assert spans(moments("nyyyyy"), end=6.0) == [(KIND, 1, 6.0)]


def test_it_does_not_stretch_an_open_activity_over_a_silent_end():
    assert spans(moments("nyyyyy"), end=600.0) == [(KIND, 1, 5 + POLICY.max_gap_s)]


def test_it_needs_time_and_not_only_many_pictures():
    assert spans(moments("yyyyyyyy", every=0.1)) == []


@pytest.mark.parametrize("every", [0.5, 0.25, 0.1, 1 / 30])
def test_who_sends_many_pictures_a_second_is_seen_like_everybody_else(every):
    per_s = round(1 / every)
    ((kind, start, stop),) = spans(moments("n" * 3 * per_s + "y" * 10 * per_s + "n" * 5 * per_s, every=every))
    assert kind == KIND and start == pytest.approx(3, abs=0.7) and stop == pytest.approx(13, abs=0.01)


@pytest.mark.parametrize("line", ["ynnn", "nnny", "nynn"])
def test_a_picture_now_and_then_among_many_opens_nothing(line):
    assert spans(moments(line * 30, every=0.1)) == []


def test_what_an_earlier_version_has_stored_does_not_disturb():
    state = rules.initial_state()
    state["kinds"][KIND] = {"window": [[0.0, True, 0.9], [1.0, True, 0.9]], "open": None, "rest_until": None}
    changes = []
    for moment in moments("yyyyyy"):
        state, more = rules.step(state, moment, POLICY)
        changes += more
    assert changes[0].action == "open"


def test_it_takes_a_browser_event_as_a_fact_of_an_instant_and_lets_it_rest():
    events = [Moment(t, -1, {"TAB_SWITCH": Cue(True, 1.0)}) for t in (1.0, 2.0, 3.0, 9.0)]
    assert spans(events) == [("TAB_SWITCH", 1.0, 2.0), ("TAB_SWITCH", 9.0, 10.0)]


def test_it_keeps_an_unknown_kind_as_it_is():
    assert spans([Moment(1.0, -1, {"SOMETHING_NEW": Cue(True, 1.0)})]) == [("SOMETHING_NEW", 1.0, 2.0)]


def test_it_ignores_a_kind_that_the_policy_switches_off():
    policy = parse_policy({"kinds": {KIND: {"enabled": False}}})
    assert spans(moments("yyyyyyyy"), policy) == []


def test_it_follows_the_policy_and_not_numbers_of_its_own():
    eager = parse_policy({"kinds": {KIND: {"hold": 1, "of": 1, "hold_s": 0}}})
    assert spans(moments("nnynnn"), eager) == [(KIND, 2, 3)]


def test_it_never_lets_time_run_backwards():
    late = Moment(0.5, 99, {KIND: Cue(True, 1.0)}, frozenset({Sense.FACES}))
    assert spans([*moments("nyyynnn"), late]) == spans(moments("nyyynnn"))


def test_it_counts_pictures_of_the_span_only():
    state, last = rules.initial_state(), None
    for moment in moments("nyynynnnnn"):
        state, changes = rules.step(state, moment, POLICY)
        last = changes[-1] if changes else last
    assert (last.positives, last.examined) == (3, 4)


def test_it_counts_observed_time_per_sense_without_gaps():
    state = rules.initial_state()
    for at in (0.0, 1.0, 2.0, 30.0, 31.0):
        state, _ = rules.step(state, Moment(at, 1, {}, frozenset({Sense.FACES})), POLICY)
    assert state["observed"] == {"faces": 2.0 + POLICY.max_gap_s + 1.0}


def test_it_counts_objects_between_two_looks_and_is_not_disturbed_by_events():
    state = rules.initial_state()
    for at in range(11):
        senses = {Sense.FACES, Sense.OBJECTS} if at % 5 == 0 else {Sense.FACES}
        state, _ = rules.step(state, Moment(at, at, {}, frozenset(senses)), POLICY)
        state, _ = rules.step(state, Moment(at + 0.5, -1, {"COPY": Cue(True, 1.0)}), POLICY)
    assert state["observed"] == {"faces": 10.5, "objects": 10.5}


def test_it_counts_hands_between_two_looks_and_no_longer():
    state = rules.initial_state()
    for at in range(31):
        senses = {Sense.FACES, Sense.HANDS} if at in (0, 8) else {Sense.FACES}
        state, _ = rules.step(state, Moment(at, at, {}, frozenset(senses)), POLICY)
    assert state["observed"] == {"faces": 30.0, "hands": 24.0}


@pytest.mark.parametrize("kind", ["LAPTOP", "BOOK"])
def test_what_lies_there_is_told_though_only_every_second_look_can_say_so(kind):
    state, opened = rules.initial_state(), []
    for number in range(8):
        cue = UNKNOWN if number % 2 else Cue(number >= 2, 0.8)
        at = number * POLICY.objects_every_s
        state, changes = rules.step(state, Moment(at, number, {kind: cue}), POLICY)
        opened += [at for change in changes if change.action == "open"]
    assert opened == [4 * POLICY.objects_every_s]


def test_it_counts_nothing_for_a_sense_that_stopped():
    state = rules.initial_state()
    state, _ = rules.step(state, Moment(0, 0, {}, frozenset({Sense.FACES})), POLICY)
    for at in range(1, 5):
        state, _ = rules.step(state, Moment(at, at, {}, frozenset()), POLICY)
    assert state["observed"] == {"faces": 1.0}


CUES = st.sampled_from([Cue(True, 0.9), Cue(True, 0.6), Cue(False), Cue(None)])
STREAM = st.lists(
    st.tuples(
        st.floats(0.05, 12.0),
        st.dictionaries(st.sampled_from(["NO_FACE", "PHONE", "LOOKING_AWAY", "TAB_SWITCH", "NEW"]), CUES),
        st.frozensets(st.sampled_from(list(Sense))) | st.none(),
    ),
    max_size=60,
)


def _timed(stream):
    at = 0.0
    for number, (pause, cues, senses) in enumerate(stream):
        at = round(at + pause, 3)
        yield Moment(at, number, cues, senses)


@settings(max_examples=200, deadline=None)
@given(stream=STREAM, cut=st.integers(0, 60))
def test_it_gives_the_same_when_the_state_is_stored_and_restored_anywhere(stream, cut):
    whole_state, whole = rules.initial_state(), []
    cut_state, pieces = rules.initial_state(), []
    for number, moment in enumerate(_timed(stream)):
        if number == cut:
            cut_state = json.loads(json.dumps(cut_state))
        whole_state, changes = rules.step(whole_state, moment, POLICY)
        cut_state, same = rules.step(cut_state, moment, POLICY)
        whole, pieces = whole + changes, pieces + same
    assert pieces == whole
    assert json.loads(json.dumps(cut_state)) == json.loads(json.dumps(whole_state))


@settings(max_examples=200, deadline=None)
@given(stream=STREAM)
def test_it_never_overlaps_two_activities_of_a_kind_and_every_span_has_length(stream):
    found = spans(_timed(stream), end=10_000.0)
    for kind in {kind for kind, _start, _stop in found}:
        own = [(start, stop) for name, start, stop in found if name == kind]
        assert all(stop > start for start, stop in own)
        assert all(later[0] >= earlier[1] for earlier, later in pairwise(own))


@settings(max_examples=100, deadline=None)
@given(stream=STREAM)
def test_it_leaves_the_state_it_was_given_untouched(stream):
    state = rules.initial_state()
    for moment in _timed(stream):
        before = json.dumps(state)
        new, _changes = rules.step(state, moment, POLICY)
        assert json.dumps(state) == before
        state = new
