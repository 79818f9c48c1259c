"""What is measured of listening: shares and sums, never times."""

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from monitoring import audio_benchmark
from monitoring.audio_benchmark import NothingSpoken, benchmark_audio
from vision.demo import build_demo_recording
from vision.sound import RATE, as_wav

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(audio_benchmark, "STREAM_S", 32)
    monkeypatch.setattr(audio_benchmark, "ROUNDS", 1)


def test_half_of_the_stream_is_spoken_and_every_sense_is_told_apart():
    steps = []
    figures = benchmark_audio(None, say=steps.append)
    assert figures["spoken_share"] == pytest.approx(0.5, abs=0.1)
    assert list(figures["detectors_ms_per_second"]) == ["level", "speech", "speakers"]
    total = sum(figures["detectors_ms_per_second"].values())
    assert total == pytest.approx(figures["audio_ms_per_second"], abs=0.05)
    assert figures["percent_of_a_core"] == pytest.approx(figures["audio_ms_per_second"] / 10, abs=0.01)
    assert 0 < figures["session_memory_bytes"] < 4096 and len(steps) == len(audio_benchmark.LISTENING) + 2


def test_a_recording_in_which_nobody_speaks_is_told(tmp_path):
    path = tmp_path / "quiet.wav"
    path.write_bytes(as_wav(np.zeros(8 * RATE), RATE))
    with pytest.raises(CommandError, match="recording"):
        call_command("benchmark", "audio", video=path)
    silent = tmp_path / "silent.mp4"
    build_demo_recording(silent, seconds=10)
    with pytest.raises(NothingSpoken):
        benchmark_audio(silent, say=print)
