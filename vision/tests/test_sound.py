"""Sound is recognised by its header, decoded only far enough to know its length, and bombs are refused."""

import struct

import pytest

from monitoring.tests.pictures import sound, tone
from vision.sound import RATE, SoundError, SoundFault, SoundHeader, decode_sound, sniff_sound, wrap_pcm

FORMS = [
    ("wav", "pcm_s16le", 16_000),
    ("flac", "flac", 16_000),
    ("ogg", "libopus", 48_000),
    ("webm", "libopus", 48_000),
    ("mp3", "libmp3lame", 44_100),
]


@pytest.mark.parametrize(("form", "codec", "rate"), FORMS)
def test_it_tells_the_format_and_decodes_the_whole(form, codec, rate):
    data = sound(form, codec, 1.5, rate)
    assert sniff_sound(data).format == form.upper()
    assert len(decode_sound(data)) == pytest.approx(1.5 * RATE, rel=0.02)


@pytest.mark.parametrize(("form", "rate"), [("wav", 16_000), ("flac", 16_000)])
def test_it_knows_the_length_from_the_header_where_it_stands_there(form, rate):
    codec = {"wav": "pcm_s16le", "flac": "flac"}[form]
    assert sniff_sound(sound(form, codec, 2.0, rate)) == SoundHeader(form.upper(), 2.0, rate, 1)


def test_it_gives_raw_samples_a_header_and_leaves_half_a_sample_out():
    data = wrap_pcm(tone(0.5, 8_000) + b"\x01", rate=8_000, channels=1)
    assert sniff_sound(data) == SoundHeader("WAV", 0.5, 8_000, 1)
    assert len(decode_sound(data)) == 0.5 * RATE


def test_it_takes_a_wav_whose_recorder_did_not_know_the_length_yet():
    data = bytearray(wrap_pcm(tone(1.0), rate=16_000, channels=1))
    data[40:44] = b"\xff\xff\xff\xff"
    assert sniff_sound(bytes(data)).duration_s == 1.0


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", SoundFault.EMPTY),
        (bytes(4 * 1024**2 + 1), SoundFault.TOO_LARGE),
        (b"hello", SoundFault.UNKNOWN),
        (b"\xff\xd8\xff\xe0 a picture", SoundFault.UNKNOWN),
        (b"\xff\xf1 another kind of MPEG", SoundFault.UNKNOWN),
        (b"OggS" + bytes(100), SoundFault.UNKNOWN),
        (b"\x1aE\xdf\xa3" + bytes(100), SoundFault.UNKNOWN),
        (b"RIFF\0\0\0\0WAVE", SoundFault.DAMAGED),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 10_000, SoundFault.DAMAGED),
        (b"fLaC\0\0\0\x22", SoundFault.DAMAGED),
        (wrap_pcm(bytes(100), rate=1, channels=1), SoundFault.DAMAGED),
        (wrap_pcm(bytes(100), rate=16_000, channels=99), SoundFault.DAMAGED),
        (wrap_pcm(bytes(2 * 8_000 * 61), rate=8_000, channels=1), SoundFault.TOO_LONG),
    ],
)
def test_it_refuses_by_the_header_what_cannot_be_examined(data, fault):
    with pytest.raises(SoundError) as refused:
        sniff_sound(data)
    assert refused.value.fault is fault


def test_it_stops_decoding_sound_that_is_longer_than_its_header_says():
    silence = bytearray(sound("flac", "flac", 90.0, 8_000))
    at = struct.unpack(">Q", silence[18:26])[0] >> 36 << 36  # the number of samples is unknown
    silence[18:26] = struct.pack(">Q", at)
    assert sniff_sound(bytes(silence)).duration_s is None
    with pytest.raises(SoundError) as refused:
        decode_sound(bytes(silence))
    assert refused.value.fault is SoundFault.TOO_LONG


@pytest.mark.parametrize(("form", "codec", "rate"), FORMS[1:])
def test_it_refuses_a_good_header_before_rubbish(form, codec, rate):
    data = sound(form, codec, 1.0, rate)
    with pytest.raises(SoundError):
        decode_sound(data[:60] + b"\xaa" * 500)
