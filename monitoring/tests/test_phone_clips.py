"""Phones in real recordings: raised and closed by those who use one, and not by hands that sign beside a badge."""

from pathlib import Path

import pytest

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.evaluation import looking, stretches
from monitoring.evaluation.labels import Sample, read_samples
from vision.tests.media import OBJECTS_NEEDED, media_folder

pytestmark = OBJECTS_NEEDED
SIGNING = 4


@pytest.fixture(scope="module")
def clips() -> list[Sample]:
    return [sample for sample in read_samples(Path(media_folder())) if sample.media == "video"]


def phone_spans(sample):
    watched = looking.watch(sample, Policy())
    return [span for span in watched.spans if span.kind == Kind.PHONE], watched.seconds


def test_phones_in_use_are_found_and_the_activity_lies_within_the_recording(clips):
    used = [sample for sample in clips if "looking_at_phone_every_5_frames" in sample.labels]
    hit = 0
    for sample in used:
        found, seconds = phone_spans(sample)
        staged = stretches.expected_of(sample.labels, seconds).spans
        hit += any(stretches.touches(one, span) for one in found for span in staged)
        assert all(0 <= one.start_s < one.end_s <= seconds for one in found)
    assert len(used) >= 5 and hit >= 0.35 * len(used)


def test_hands_that_sign_raise_no_phone(clips):
    signing = [sample for sample in clips if sample.labels.get("hand_gesture")][:SIGNING]
    assert len(signing) == SIGNING
    assert not [sample.name for sample in signing if phone_spans(sample)[0]]
