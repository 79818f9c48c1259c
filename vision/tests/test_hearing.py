"""Sound through all senses that listen, with the real models on real voices where these are there."""

import io
import json
import wave

import numpy as np
import pytest

from monitoring.tests.pictures import sound, tone
from vision import loading
from vision.analyzers import level, speakers
from vision.hearing import listen
from vision.sound import RATE, SoundError, as_wav, decode_sound, wrap_pcm
from vision.tests.media import media_folder
from vision.types import Due, Sense, SoundChunk, Speech

EVERYTHING = Due()


def chunk(samples, at=0.0, seq=0):
    return SoundChunk(seq, at, np.asarray(samples, np.float32), RATE)


def sine(seconds=4.0, hertz=440.0, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def noise(seconds=4.0, amplitude=0.1, seed=7):
    return amplitude * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def heard_in(name, seconds=None):
    """Listen to a labelled file in chunks of four seconds; returns what was heard, and the memory."""
    samples = decode_long(media_folder() / "audio" / name)[: None if seconds is None else round(seconds * RATE)]
    memory, heard = {}, []
    for number, start in enumerate(range(0, len(samples), 4 * RATE)):
        facts, memory = listen(chunk(samples[start : start + 4 * RATE], start / RATE, number), EVERYTHING, memory)
        memory = json.loads(json.dumps(memory))
        heard.append(facts)
    return heard, memory


def decode_long(path):
    import av

    from vision.recorded_sound import read_sounds

    return np.concatenate([item.samples for item in read_sounds(av.open(str(path)), 0.0)])


def spoken_s(heard):
    return sum(stretch.end_s - stretch.start_s for one in heard for stretch in one.speech or ())


# --- decoding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 8_000),
        ("wav", "pcm_s16le", 44_100),
        ("wav", "pcm_f32le", 48_000),
        ("wav", "pcm_u8", 16_000),
        ("flac", "flac", 96_000),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("mp3", "libmp3lame", 44_100),
    ],
)
def test_every_form_becomes_one_channel_at_sixteen_kilohertz(form, codec, rate):
    samples = decode_sound(sound(form, codec, 1.5, rate))
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert len(samples) == pytest.approx(1.5 * RATE, rel=0.02)
    assert 0.01 < np.abs(samples).max() <= 1.0


def test_two_channels_are_mixed_and_a_silent_one_does_not_hide_the_other():
    both = np.stack([sine(1.0, amplitude=0.5), np.zeros(RATE)], axis=1)
    data = wrap_pcm((both * 32767).astype("<i2").tobytes(), rate=RATE, channels=2)
    found, _ = level.analyze(chunk(decode_sound(data)), {})
    assert found.rms == pytest.approx(-9.0 - 3.0, abs=0.5)


def test_what_is_no_number_becomes_silence():
    samples = np.full(RATE, np.nan, "<f4")
    samples[:100] = np.inf
    data = float_wav(samples)
    decoded = decode_sound(data)
    assert np.isfinite(decoded).all() and np.abs(decoded).max() <= 1.0
    heard, _ = listen(chunk(decoded), EVERYTHING, {})
    assert heard.speech == ()


def float_wav(samples):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    data = bytearray(buffer.getvalue())
    data[20:22] = (3).to_bytes(2, "little")  # IEEE float
    return bytes(data)


def test_what_is_cut_off_is_refused_or_shorter_but_never_more_than_came():
    whole = sound("mp3", "libmp3lame", 2.0, 16_000)
    assert 0.5 * RATE < len(decode_sound(whole[: len(whole) // 2])) < 1.5 * RATE
    with pytest.raises(SoundError):
        decode_sound(sound("flac", "flac", 2.0, 16_000)[:60])


def test_what_we_write_is_what_we_read():
    samples = sine(0.5, amplitude=0.3)
    assert decode_sound(as_wav(samples, RATE)) == pytest.approx(samples, abs=1e-4)


# --- loudness ---------------------------------------------------------------------------------------------------------


def test_levels_are_in_decibels_below_full_scale():
    found, _ = level.analyze(chunk(sine()), {})
    assert (found.rms, found.loudest, found.floor) == pytest.approx((-3.0, -3.0, -3.0), abs=0.1)
    found, _ = level.analyze(chunk(sine(amplitude=0.01)), {})
    assert found.rms == pytest.approx(-43.0, abs=0.1) and found.clipped == 0
    assert len(found.curve) == 4 and found.curve[0] == pytest.approx(-43.0, abs=0.1)


def test_silence_is_the_least_there_is_and_a_click_is_not_loud():
    found, _ = level.analyze(chunk(np.zeros(RATE)), {})
    assert (found.rms, found.curve) == (level.SILENCE_DBFS, (level.SILENCE_DBFS,))
    click = np.zeros(4 * RATE)
    click[5000:5020] = 1.0
    assert level.analyze(chunk(click), {})[0].loudest < -20


def test_clipping_is_told():
    assert level.analyze(chunk(np.clip(sine(amplitude=4.0), -1, 1)), {})[0].clipped > 0.8


@pytest.mark.parametrize("samples", [[], [0.5], [0.1] * 500])
def test_what_is_too_short_is_not_examined(samples):
    heard, memory = listen(chunk(samples), EVERYTHING, {})
    assert (heard.level, heard.speech, heard.turns, memory) == (None, None, None, {})


# --- speech and speakers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [np.zeros(4 * RATE), noise(), noise(amplitude=0.001), sine(amplitude=0.2)])
def test_noise_hum_and_silence_are_no_speech(samples):
    heard, _ = listen(chunk(samples), EVERYTHING, {})
    assert heard.speech == () and heard.turns == ()


@pytest.mark.slow
def test_speech_is_heard_where_it_is_also_very_quietly():
    samples = decode_long(media_folder() / "audio" / "i1678_ispeech_test_other_1688_1688_142285_0000.flac")[: 8 * RATE]
    loud, _ = listen(chunk(samples), EVERYTHING, {})
    quiet, _ = listen(chunk(samples * 0.01), EVERYTHING, {})
    assert spoken_s([loud]) > 4 and spoken_s([quiet]) > 0.8 * spoken_s([loud])


@pytest.mark.slow
def test_one_person_is_one_voice_and_two_are_two():
    heard, memory = heard_in("i1678_ispeech_test_other_1688_1688_142285_0000.flac", 12)
    assert {turn.speaker for one in heard for turn in one.turns or ()} - {None} == {1}
    assert heard[-1].voices == 1 and len(json.dumps(memory)) < 4096
    heard, _ = heard_in("i1749_inaSpeechSegmenter_media_lamartine.flac")
    assert heard[-1].voices == 2


@pytest.mark.slow
def test_the_candidates_own_voice_is_known_once_it_was_learnt():
    own = decode_long(media_folder() / "audio" / "i1678_ispeech_test_other_1688_1688_142285_0000.flac")[: 4 * RATE]
    embedding = loading.models().voice_encoder.embed([own[: round(1.6 * RATE)]])[0]
    memory = speakers.learn_candidate({}, speakers.Voice(speakers.CANDIDATE, embedding, 1.6, 0.0))
    heard, memory = listen(chunk(own), EVERYTHING, memory)
    assert heard.knows_candidate and {turn.speaker for turn in heard.turns} <= {0, None}
    other = decode_long(media_folder() / "audio" / "i1686_ispeech_test_other_2033_2033_164914_0000.flac")[: 4 * RATE]
    heard, _ = listen(chunk(other, at=4.0), EVERYTHING, memory)
    assert 0 not in {turn.speaker for turn in heard.turns}


def test_a_sense_that_is_not_wanted_says_nothing():
    heard, _ = listen(chunk(noise()), Due(senses=frozenset({Sense.SPEAKERS})), {})
    assert (heard.level, heard.speech, heard.turns) == (None, None, ())


def test_a_model_that_fails_leaves_its_sense_not_examined_and_the_others_at_work(monkeypatch, caplog):
    class Broken:
        def likelihood(self, *_args):
            raise RuntimeError("broken")

    own = loading.Models()
    own.__dict__["_speech_detector"] = Broken()
    before = loading.models()
    loading.use_models(own)
    try:
        heard, _ = listen(chunk(noise()), EVERYTHING, {})
    finally:
        loading.use_models(before)
    assert heard.level is not None and heard.speech is None and heard.turns is None
    assert "Sense speech failed" in caplog.text


def test_windows_cover_a_stretch_and_leave_out_what_is_too_short():
    assert list(speakers._cut(Speech(0.0, 0.4, 1.0), 4.0)) == []
    assert list(speakers._cut(Speech(1.0, 2.0, 1.0), 4.0)) == [(1.0, 2.0)]
    cut = np.array(list(speakers._cut(Speech(0.0, 4.2, 1.0), 4.0)))
    assert cut == pytest.approx(np.array([(0.4 * number, 0.4 * number + 1.6) for number in range(7)]))


def test_raw_samples_of_a_tone_are_no_speech():
    heard, _ = listen(chunk(decode_sound(wrap_pcm(tone(2.0), rate=RATE, channels=1))), EVERYTHING, {})
    assert heard.speech == ()
