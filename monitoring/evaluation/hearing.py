"""The senses that listen, on labelled sound: speech or not, one voice or several, and who spoke when."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.evaluation.figures import Answer
from monitoring.evaluation.labels import Sample
from monitoring.sound_cues import heard_moments
from vision.recorded_sound import CHUNK_S, RecordedSound
from vision.sound import RATE
from vision.types import Heard, Memory, SoundChunk, Turn

SECOND_VOICE = "SECOND_VOICE"
"""Two labelled people one after the other, or one person twice: is a second voice heard (composed)."""

COLLAR_S, STEP_S = 0.25, 0.01
RESAMPLED = 2000
COMPOSED_S = 5.0
"""Of each clip so much goes into a composed one; shorter ones are left out."""

LEARNT_S = 6.0
"""So long somebody reads aloud at the system check."""


@dataclass(frozen=True, slots=True)
class Listened:
    """What was heard in a recording, chunk by chunk, how long it is, and the CPU milliseconds that listening took."""

    heard: tuple[Heard, ...]
    seconds: float
    cpu_ms: float

    def cue(self, kind: str, policy: Policy) -> tuple[bool | None, float]:
        """Return whether any second of it says yes, None where none says anything, and how sure the surest is."""
        cues = [moment.cues[kind] for one in self.heard for moment in heard_moments(one, policy) if kind in moment.cues]
        said = [cue for cue in cues if cue.value is not None]
        if not said:
            return None, 0.0
        return any(cue.value for cue in said), max(cue.confidence for cue in said)

    def turns(self) -> list[Turn]:
        """Return who spoke when, in seconds from the beginning."""
        return [
            Turn(one.captured_at + turn.start_s, one.captured_at + turn.end_s, turn.speaker, turn.likeness)
            for one in self.heard
            for turn in one.turns or ()
        ]


@dataclass(slots=True)
class Diarization:
    """How long speakers were confused, missed or made up, in seconds of speech; their sum over all speech is the error.

    The diarization error rate of NIST's Rich Transcription evaluations (2009), with a collar.
    """

    spoken: float = 0.0
    missed: float = 0.0
    made_up: float = 0.0
    confused: float = 0.0
    recordings: list[tuple[float, float]] = field(default_factory=list)
    """Of each recording the seconds of speech, and those of them that are wrong."""

    @property
    def rate(self) -> float | None:
        """The error rate; it may exceed 1."""
        return self._wrong / self.spoken if self.spoken else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The rate's 95 % interval by resampling whole recordings (Bisani and Ney 2004); ``None`` of fewer than two."""
        if len(self.recordings) < 2:
            return None
        of = np.array(self.recordings)
        drawn = of[np.random.default_rng(0).integers(0, len(of), (RESAMPLED, len(of)))].sum(axis=1)
        low, high = np.percentile(drawn[:, 1] / drawn[:, 0], (2.5, 97.5))
        return float(low), float(high)

    @property
    def _wrong(self) -> float:
        return self.missed + self.made_up + self.confused

    def add(self, told: Sequence[Mapping[str, Any]], turns: Sequence[Turn], seconds: float) -> None:
        """Count one recording."""
        steps = round(seconds / STEP_S)
        wanted = _tracks(((turn["speaker"], turn["start_s"], turn["end_s"]) for turn in told), steps)
        found = _tracks(((turn.speaker, turn.start_s, turn.end_s) for turn in turns), steps)
        counts = _counted(told, steps)
        wanted, found = wanted[:, counts], found[:, counts]
        true, said = wanted.sum(axis=0), found.sum(axis=0)
        right = _best_match(wanted, found)
        spoken, wrong = self.spoken, self._wrong
        self.spoken += STEP_S * float(true.sum())
        self.missed += STEP_S * float(np.maximum(true - said, 0).sum())
        self.made_up += STEP_S * float(np.maximum(said - true, 0).sum())
        self.confused += STEP_S * float(np.minimum(true, said).sum() - right)
        if self.spoken > spoken:
            self.recordings.append((self.spoken - spoken, self._wrong - wrong))


def listen_to(path: Path, policy: Policy) -> Listened:
    """Listen to a file as to a session's sound; raises ``OSError`` and ``av.FFmpegError``."""
    import av

    from vision.recorded_sound import read_sounds

    return _listen(read_sounds(av.open(str(path)), 0.0), policy)


def listen(sound: np.ndarray, policy: Policy) -> Listened:
    """Listen to samples at 16 kHz as to a session's sound."""
    return _listen(_chunks(sound), policy)


def beginning(path: Path, seconds: float) -> np.ndarray:
    """Return so many seconds of a file, 16 kHz, or what there is of it; nothing of one that cannot be read."""
    return _beginning(path, round(seconds * RATE))


def second_voice(samples: Sequence[Sample], policy: Policy) -> list[Answer]:
    """Put clips of labelled speakers together, of two people and of one, and say whether a second voice was heard."""
    spoken = [sample for sample in samples if sample.media == "audio" and "speaker" in sample.labels]
    size = round(COMPOSED_S * RATE)
    begun = {sample.name: part for sample in spoken if len(part := _beginning(sample.path, size)) == size}
    clips = [sample for sample in spoken if sample.name in begun]
    answers = []
    for place, first in enumerate(clips):
        for second, other in _partners(first, clips[place + 1 :] + clips[:place]):
            sound = np.concatenate([begun[first.name], begun[second.name]])
            said, confidence = _listen(_chunks(sound), policy).cue(Kind.MULTIPLE_VOICES, policy)
            answers.append(Answer(f"{first.name} + {second.name}", other, said, confidence))
    return answers


def background_voice(samples: Sequence[Sample], policy: Policy) -> list[Answer]:
    """Learn labelled speakers' voices from one clip each, then let them or somebody else speak: is that told."""
    from vision import loading, own_voice
    from vision.analyzers.speakers import learn_candidate

    spoken = [sample for sample in samples if sample.media == "audio" and "speaker" in sample.labels]
    answers = []
    for place, first in enumerate(spoken):
        sample = _beginning(first.path, round(LEARNT_S * RATE))
        try:
            own = own_voice.learn(SoundChunk(0, 0.0, sample, RATE), loading.models())
        except own_voice.VoiceError:
            continue  # the candidate would be asked to read it again
        for second, other in _partners(first, spoken[place + 1 :] + spoken[:place]):
            sound = _chunks(_beginning(second.path, round(COMPOSED_S * RATE)))
            listened = _listen(sound, policy, learn_candidate({}, own))
            said, confidence = listened.cue(Kind.BACKGROUND_VOICE, policy)
            answers.append(Answer(f"{first.name} + {second.name}", other, said, confidence))
    return answers


def _partners(first: Sample, clips: Sequence[Sample]) -> Iterator[tuple[Sample, bool]]:
    """Yield the next clip of somebody else, and the next of the same person if there is one."""
    for other in (True, False):
        found = (clip for clip in clips if (clip.labels["speaker"] != first.labels["speaker"]) is other)
        second = next(found, None)
        if second is not None:
            yield second, other


def _listen(sounds: Iterable[RecordedSound], policy: Policy, memory: Memory | None = None) -> Listened:
    from vision.hearing import listen

    memory, heard, seconds, cpu_s = memory or Memory(), [], 0.0, 0.0
    for number, item in enumerate(sounds):
        began = time.process_time()
        facts, memory = listen(SoundChunk(number, item.offset_s, item.samples, RATE), policy.due(), memory)
        cpu_s += time.process_time() - began
        heard.append(facts)
        seconds = item.offset_s + len(item.samples) / RATE
    return Listened(tuple(heard), seconds, 1000 * cpu_s)


def _beginning(path: Path, size: int) -> np.ndarray:
    import av

    from vision.recorded_sound import read_sounds

    try:
        parts = [item.samples for item in read_sounds(av.open(str(path)), 0.0)]
    except (OSError, av.FFmpegError):  # it is told where it is asked whether anybody speaks
        return np.zeros(0, np.float32)
    return np.concatenate(parts)[:size] if parts else np.zeros(0, np.float32)


def _chunks(samples: np.ndarray) -> Iterator[RecordedSound]:
    size = round(CHUNK_S * RATE)
    for start in range(0, len(samples), size):
        yield RecordedSound(start / RATE, samples[start : start + size])


def _tracks(turns: Iterable[tuple[Any, float, float]], steps: int) -> np.ndarray:
    """Return a row of ones and zeros for each speaker; what nobody was named for is a speaker of its own."""
    tracks: dict[Any, np.ndarray] = {}
    for speaker, start, end in turns:
        track = tracks.setdefault(speaker, np.zeros(steps, np.int64))
        track[round(start / STEP_S) : round(end / STEP_S)] = 1
    return np.array(list(tracks.values())) if tracks else np.zeros((0, steps), np.int64)


def _counted(told: Sequence[Mapping[str, Any]], steps: int) -> np.ndarray:
    """Return which steps count: those near a labelled edge do not."""
    counts = np.ones(steps, bool)
    for turn in told:
        for edge in (turn["start_s"], turn["end_s"]):
            counts[max(0, round((edge - COLLAR_S) / STEP_S)) : round((edge + COLLAR_S) / STEP_S)] = False
    return counts


def _best_match(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return how many steps are right when speakers are matched as well as can be, one to one."""
    if not len(wanted) or not len(found):
        return 0.0
    both = wanted @ found.T
    rows = both if len(both) <= both.shape[1] else both.T
    best = {0: 0.0}  # the most steps by which of the fewer speakers are taken, a bit each
    for steps in rows.T.tolist():
        before = dict(best)
        for taken, right in before.items():
            for speaker, shared in enumerate(steps):
                bit = 1 << speaker
                if not taken & bit:
                    best[taken | bit] = max(best.get(taken | bit, 0.0), right + shared)
    return float(max(best.values()))
