"""Sound that is not as it should be, and models that do not work: one clear reason, and everything else goes on."""

import json
import logging

import numpy as np
import pytest

from monitoring.tests.pictures import sound
from vision import loading
from vision.analyzers import speech
from vision.demo_voice import synthetic_voice
from vision.hearing import listen
from vision.own_voice import VoiceError, learn
from vision.recorded_sound import CHUNK_S, read_sounds
from vision.sound import LONGEST_S, RATE, SoundError, SoundFault, as_wav, decode_sound, sniff_sound, wrap_pcm
from vision.types import Due, Sense, SoundChunk

SPEAKING = synthetic_voice(8.0)


@pytest.fixture
def own_models():
    """Models of this test alone, so that what is broken here is whole elsewhere."""
    before, kept = loading.models(), dict(loading._unloadable)
    loading.use_models(loading.Models())
    yield loading.models()
    loading.use_models(before)
    loading._unloadable.clear()
    loading._unloadable.update(kept)


def hear(samples, memory=None, at=0.0, rate=RATE):
    return listen(SoundChunk(0, at, np.asarray(samples, np.float32), rate), Due(), memory or {})


def test_a_made_voice_is_taken_for_speech_of_one_person():
    memory, spoken, voices = {}, 0.0, 0
    for number in range(2):
        heard, memory = hear(SPEAKING[number * 4 * RATE :][: 4 * RATE], memory, at=4.0 * number)
        spoken += sum(one.end_s - one.start_s for one in heard.speech)
        voices = max(voices, heard.voices)
    assert spoken > 6 and voices <= 1


def test_a_stream_whose_rate_changes_is_decoded_as_one():
    first, second = (sound("mp3", "libmp3lame", 1.0, rate) for rate in (44_100, 16_000))
    second = second[10 + second[9] :]  # without the tag that stands before its frames
    assert len(decode_sound(first + second)) == pytest.approx(2 * RATE, rel=0.1)


def test_chunks_of_one_session_may_each_have_another_rate():
    memory, heard = {}, []
    for number, rate in enumerate((RATE, 8_000, 48_000)):
        step = np.interp(np.arange(4 * rate) / rate, np.arange(4 * RATE) / RATE, SPEAKING[: 4 * RATE])
        facts, memory = hear(decode_sound(as_wav(step, rate)), memory, at=4.0 * number)
        heard.append(facts)
    assert all(facts.speech and facts.duration_s == pytest.approx(4.0, abs=0.02) for facts in heard)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_samples_of_another_rate_than_the_models_know_are_not_examined_for_speech(rate):
    heard, _ = hear(SPEAKING, rate=rate)
    assert heard.level is not None and (heard.speech, heard.turns, heard.voices) == (None, None, None)


def test_an_hour_is_refused_as_a_chunk_by_its_header_alone():
    hour = bytearray(sound("flac", "flac", 2.0, 8_000))
    samples = int.from_bytes(hour[18:26], "big") >> 36 << 36 | 3600 * 8_000
    hour[18:26] = samples.to_bytes(8, "big")
    with pytest.raises(SoundError) as refused:
        sniff_sound(bytes(hour))
    assert refused.value.fault is SoundFault.TOO_LONG and f"{LONGEST_S:.0f} s" in str(refused.value)


def test_an_hour_of_a_recording_comes_in_chunks_of_one_size(tmp_path):
    import av

    path = tmp_path / "hour.wav"
    path.write_bytes(wrap_pcm(bytes(2 * 8_000 * 3600), rate=8_000, channels=1))
    sizes = [len(item.samples) for item in read_sounds(av.open(str(path)), 0.0)]
    assert max(sizes) == CHUNK_S * RATE and sum(sizes) / RATE == pytest.approx(3600, abs=1)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(4 * RATE), np.ones(4 * RATE), np.sign(np.sin(np.arange(4 * RATE) * 0.3)), np.full(4 * RATE, 1e-7)],
    ids=["silence", "constant", "square", "nearly nothing"],
)
def test_what_is_no_voice_is_examined_and_says_nothing(samples):
    heard, memory = hear(samples)
    assert (heard.speech, heard.turns) == ((), ()) and "voices" not in memory
    json.dumps(heard.to_facts(), allow_nan=False)
    json.dumps(memory, allow_nan=False)


def test_speech_that_is_clipped_is_still_speech_and_told_to_be_clipped():
    heard, _ = hear(np.clip(50 * SPEAKING[: 4 * RATE], -1, 1))
    assert heard.level.clipped > 0.3 and heard.speech


@pytest.mark.parametrize("seconds", [1 / RATE, 0.03, 0.3])
def test_hardly_any_sound_teaches_no_voice(seconds):
    chunk = SoundChunk(0, 0.0, SPEAKING[: max(1, round(seconds * RATE))], RATE)
    with pytest.raises(VoiceError):
        learn(chunk, loading.models())


@pytest.mark.parametrize(
    ("package", "broken", "works"),
    [("silero_vad", {Sense.SPEECH, Sense.SPEAKERS}, {Sense.LEVEL}), ("resemblyzer", {Sense.SPEAKERS}, {Sense.SPEECH})],
)
def test_weights_that_are_damaged_are_complained_of_once_and_the_rest_goes_on(
    package, broken, works, own_models, monkeypatch, tmp_path, caplog
):
    damaged, found = tmp_path / "weights.bin", loading._package_file
    damaged.write_bytes(b"half a file")
    monkeypatch.setattr(loading, "_package_file", lambda name, file: damaged if name == package else found(name, file))
    caplog.set_level(logging.INFO)
    for number in range(3):
        heard, _ = hear(SPEAKING[: 4 * RATE], at=4.0 * number)
        facts = {Sense.LEVEL: heard.level, Sense.SPEECH: heard.speech, Sense.SPEAKERS: heard.turns}
        assert all(facts[sense] is None for sense in broken) and all(facts[sense] is not None for sense in works)
    assert caplog.text.count("weights.bin cannot be loaded") == 1 and caplog.text.count("Sense") == 0
    told = loading.availability()[Sense.SPEECH if package == "silero_vad" else Sense.SPEAKERS]
    assert (told.available, told.reason) == (False, "The weights weights.bin cannot be loaded.")


def test_what_an_earlier_version_remembers_of_voices_is_understood():
    _, memory = hear(SPEAKING[: 4 * RATE])
    for voice in memory["voices"]:
        voice["windows"] = voice.pop("seconds")
    heard, _ = hear(SPEAKING[4 * RATE :], memory, at=4.0)
    assert heard.turns is not None


def test_a_state_of_the_detector_from_long_ago_is_not_used():
    _, memory = hear(SPEAKING[: 4 * RATE])
    model = loading.models()
    chunk = SoundChunk(1, 60.0, SPEAKING[4 * RATE :], RATE)
    assert speech.analyze(chunk, memory, model)[0] == speech.analyze(chunk, {}, model)[0]


def test_the_memory_of_a_session_stays_small_however_many_people_speak():
    memory = {}
    for number in range(12):
        samples = synthetic_voice(4.0, pitch_hz=80.0 + 25 * number, seed=number)
        _, memory = hear(samples, memory, at=4.0 * number)
        memory = json.loads(json.dumps(memory))
    assert len(json.dumps(memory)) < 4096
