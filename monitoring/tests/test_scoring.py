"""Scores that add up, with the weights that earlier systems shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.policy import Policy, parse_policy
from monitoring.scoring import Span, assess, coverage

POLICY = Policy()


def score(*spans, policy=POLICY, observed_s=100.0):
    return assess(spans, policy, observed_s=observed_s, until=100.0)


@pytest.mark.parametrize(
    ("kinds", "risk", "level", "trust"),
    [
        ([], 0, "Low", 100),
        (["NO_FACE"], 2, "Low", 90),
        (["NO_FACE", "LOOKING_AWAY"], 4, "Low", 80),
        (["MULTIPLE_FACES", "SOMETHING_UNKNOWN"], 5, "Medium", 75),
        (["MULTIPLE_FACES", "TAB_SWITCH", "NO_FACE"], 9, "Medium", 55),
        (["MULTIPLE_FACES", "MULTIPLE_FACES", "LOOKING_AWAY"], 10, "High", 50),
        (["NO_FACE"] * 50, 6, "Medium", 70),  # a long exam is not High by length alone
        (["POOR_LIGHT", "NETWORK_GAP", "INVALID_IMAGE"], 0, "Low", 100),
        (["MULTIPLE_FACES"] * 3 + ["NO_FACE"] * 3 + ["TAB_SWITCH"] * 3, 27, "High", 0),
    ],
)
def test_it_weighs_kinds_as_the_shared_policy_does(kinds, risk, level, trust):
    scores = score(*(Span(kind, 1, 10.0 * i, 10.0 * i + 1) for i, kind in enumerate(kinds)))
    assert (scores.risk_score, scores.risk_level, scores.trust_score) == (risk, level, trust)


def test_it_counts_severity_as_a_factor():
    assert score(Span("NO_FACE", 3, 0, 1)).risk_score == 6


def test_it_caps_one_kind_by_the_policy():
    policy = parse_policy({"kind_cap": 1})
    assert score(*[Span("NO_FACE", 1, i, i + 1) for i in range(5)], policy=policy).risk_score == 2


def test_it_counts_overlapping_activities_once_in_compliance():
    spans = [Span("NO_FACE", 1, 0, 20), Span("TAB_SWITCH", 1, 10, 30)]
    assert score(*spans).compliance_score == 70


def test_it_leaves_advice_out_of_compliance():
    assert score(Span("POOR_LIGHT", 1, 0, 90)).compliance_score == 100


def test_it_says_unknown_when_nothing_was_observed():
    assert score(observed_s=0.0).compliance_score is None


def test_it_counts_an_open_activity_until_now():
    assert score(Span("NO_FACE", 1, 90, None)).compliance_score == 90


@given(
    st.lists(
        st.builds(
            Span,
            st.sampled_from(["NO_FACE", "PHONE", "TAB_SWITCH", "X"]),
            st.integers(1, 3),
            st.floats(0, 50),
            st.floats(51, 100),
        ),
        max_size=30,
    )
)
def test_its_breakdown_always_adds_up_and_stays_in_bounds(spans):
    scores = score(*spans)
    assert scores.risk_score == pytest.approx(sum(line.points for line in scores.breakdown))
    assert 0 <= scores.trust_score <= 100
    assert 0 <= scores.compliance_score <= 100


def test_it_gives_coverage_as_shares_of_the_session():
    assert coverage({"faces": 50.0}, duration_s=100, senses=("faces", "objects")) == {"faces": 0.5, "objects": 0.0}
    assert coverage({"faces": 101.0}, duration_s=100, senses=("faces",)) == {"faces": 1.0}
    assert coverage({}, duration_s=0, senses=("faces",)) == {"faces": 0.0}
