"""What looking costs, always beside the bare work in the same run, so that the overhead is a ratio.

All times are CPU milliseconds of this process: on a busy machine they say more than the clock on the wall.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from accounts.models import Candidate, Role
from accounts.services import ensure_candidate, ensure_user
from exams.models import Exam, ExamSession
from exams.policy import Policy
from exams.services import create_exam
from monitoring import rules
from monitoring.analysis import analyze_frames
from monitoring.erasure import erase_session
from monitoring.models import Observation
from monitoring.replay import Replayed, replay_recording
from monitoring.services import seen_moment
from vision.types import Due, Frame
from vision.types import Observation as Facts

ROUNDS = 3
CODE = "benchmark"
Step = Callable[[str], None]


def benchmark_vision(path: Path, *, fps: float, say: Step) -> dict[str, Any]:
    """Measure the senses on a recording's pictures against the bare models on the very same inputs."""
    say("reading the recording")
    frames = _read(path, fps)
    due = _with_a_face(frames, Policy().due())
    say("warming up")
    analyze_frames(frames[:5], due=due, memory={})
    calls = _tape(frames, due)
    whole, bare, stages, gate = [], [], {}, {}
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        spent, (facts, _pictures, _memory) = cpu_ms(lambda: analyze_frames(frames, due=due, memory={}))
        whole.append(spent)
        bare.append(cpu_ms(lambda: _play(calls))[0])
        stages = _stages(facts)
        gate = _gate(facts)
    per_frame, bare_frame = min(whole) / len(frames), min(bare) / len(frames)
    return {
        "frames": len(frames),
        "picture": f"{frames[0].rgb.shape[1]}x{frames[0].rgb.shape[0]}",
        "vision_ms": round(per_frame, 2),
        "bare_models_ms": round(bare_frame, 2),
        "ratio_to_bare_models": round(per_frame / bare_frame, 3),
        "overhead_ms": round(per_frame - bare_frame, 2),
        "stages_ms": stages,
        "gate": gate,
        "frames_per_second_per_core": round(1000 / per_frame, 1),
        "memory_mb": memory_mb(),
        "detectors": detectors_here(),
    }


def benchmark_replay(path: Path, *, fps: float, say: Step) -> dict[str, Any]:
    """Measure the whole road of a recording against bare decoding plus bare models, and memory over many frames."""
    say("reading the recording")
    frames, due = _read(path, fps), Policy().due()
    analyze_frames(frames[:5], due=due, memory={})
    calls = _tape(frames, due)
    rounds = []
    with _benchmark_exam() as (exam, candidate):
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            decoding = cpu_ms(lambda: _decode_barely(path))[0]
            models = cpu_ms(lambda: _play(calls))[0]
            whole, replayed = cpu_ms(lambda: _replay(path, exam, candidate, fps))
            rounds.append((whole, decoding, models, _rules_ms(replayed.session), replayed.timings_ms))
            erase_session(session=replayed.session)
        say("watching memory over many frames")
        memory = _memory_over(path, exam, candidate)
    whole, decoding, models, folding, timings = min(rounds, key=lambda item: item[0])
    count = len(frames)
    return {
        "frames": count,
        "road_ms": round(whole / count, 2),
        "bare_decoding_ms": round(decoding / count, 2),
        "bare_models_ms": round(models / count, 2),
        "above_bare_decoding_ms": round((whole - decoding) / count, 2),
        "ratio_to_bare_decoding_and_models": round(whole / (decoding + models), 3),
        "overhead_ms": round((whole - decoding - models) / count, 2),
        "parts_ms": {
            "decoding": round(timings.decoding / count, 2),
            "vision": round(timings.vision / count, 2),
            "rules": round(folding / count, 3),
            "evidence": round(timings.evidence / count, 2),
            "database": round((timings.recording - timings.evidence - folding) / count, 2),
        },
        "memory_mb": memory,
        "detectors": detectors_here(),
    }


def _read(path: Path, fps: float) -> list[Frame]:
    from vision.recording import RecordedFrame, open_recording

    with open_recording(path) as recording:
        pictures = [item for item in recording.frames(fps) if isinstance(item, RecordedFrame)]
    return [Frame(number, picture.offset_s, picture.rgb) for number, picture in enumerate(pictures)]


def _with_a_face(frames: Sequence[Frame], due: Due) -> Due:
    """Enrol the first clear face of the recording, so that what comparing it costs is part of the figures."""
    from vision.analyzers import identity
    from vision.loading import models

    for frame in frames:
        try:
            return replace(due, enrolled=tuple(identity.portray(frame.rgb, models()).embedding.tolist()))
        except identity.UnfitPicture:
            continue
    return due


def _decode_barely(path: Path) -> None:
    import av

    with av.open(str(path)) as container:
        for _frame in container.decode(video=0):
            pass


def _replay(path: Path, exam: Exam, candidate: Candidate, fps: float) -> Replayed:
    return replay_recording(path=path, exam=exam, candidate=candidate, fps=fps)


class _Tape:
    """Stands before one model and notes every call, so that the same call can be made again without our code."""

    def __init__(self, model: Any, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
        self._model, self._calls = model, calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name not in ("process", "detect", "fit", "look", "living", "forward"):
            return value

        def noted(*args: Any) -> Any:
            self._calls.append((value, args))
            return value(*args)

        return noted


class _TapedModels:
    """The thread's models, each behind a tape."""

    def __init__(self, models: Any, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
        self._models, self._calls = models, calls

    def __getattr__(self, name: str) -> Any:
        model = getattr(self._models, name)
        return None if model is None else _Tape(model, self._calls)


def _tape(frames: Sequence[Frame], due: Due) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    from vision import loading

    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    own = loading.models()
    loading.use_models(_TapedModels(own, calls))  # type: ignore[arg-type]
    try:
        analyze_frames(frames, due=due, memory={})
    finally:
        loading.use_models(own)
    return calls


def _play(calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    import torch

    with torch.inference_mode():
        for call, args in calls:
            call(*args)


def cpu_ms(work: Callable[[], Any]) -> tuple[float, Any]:
    """Do some work and return the CPU milliseconds of this process that it took, and what came of it."""
    gc.collect()
    began = time.process_time()
    result = work()
    return (time.process_time() - began) * 1000, result


def _stages(facts: Sequence[Facts]) -> dict[str, float]:
    names = sorted({name for one in facts for name in one.timings_ms})
    return {name: round(statistics.fmean(one.timings_ms.get(name, 0.0) for one in facts), 2) for name in names}


def _gate(facts: Sequence[Facts]) -> dict[str, float]:
    """Return how often the object model was spared, and what that saved of a frame's time on the average."""
    looks = [one.timings_ms["objects"] for one in facts if "objects" in one.timings_ms]
    spared = len(facts) - len(looks)
    usual = statistics.median(looks) if looks else 0.0
    spent = sum(one.timings_ms.get("gate", 0.0) for one in facts)
    return {
        "object_looks": len(looks),
        "looks_spared": spared,
        "ms_a_look": round(usual, 2),
        "saves_ms_a_frame": round((spared * usual - spent) / len(facts), 2),
    }


def _rules_ms(session: ExamSession) -> float:
    """Time cues and rules alone over what the session stored."""
    policy = session.rules
    rows = Observation.objects.filter(session=session).order_by("captured_at")
    facts = [Facts.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp()) for row in rows]

    def fold() -> None:
        state = rules.initial_state()
        for one in facts:
            moment = seen_moment(one, policy)
            state, _changes = rules.step(state, moment, policy)

    return cpu_ms(fold)[0]


def _memory_over(path: Path, exam: Exam, candidate: Candidate) -> dict[str, float]:
    """Replay every picture of the recording and note the memory at 200 pictures and at the end."""
    seen: dict[str, float] = {}

    def note(done: int, _total: int | None) -> None:
        if done >= 200:
            seen.setdefault("after_200_frames", memory_mb())
        seen["frames"] = done

    replayed = replay_recording(path=path, exam=exam, candidate=candidate, fps=10, progress=note)
    seen["at_the_end"] = memory_mb()
    erase_session(session=replayed.session)
    return seen


def memory_mb() -> float:
    """Return how much memory this process holds, in MB."""
    return round(psutil.Process().memory_info().rss / 1_000_000, 1)


def detectors_here() -> dict[str, str]:
    """Return for each sense the model that works here, or why none does."""
    from vision.loading import availability

    return {str(sense): found.model or found.reason for sense, found in availability().items()}


@contextmanager
def _benchmark_exam() -> Iterator[tuple[Exam, Candidate]]:
    """Make an exam and a candidate of its own, and leave nothing behind."""
    owner, new_owner = ensure_user(email=f"{CODE}-teacher@example.com", role=Role.TEACHER)
    candidate = ensure_candidate(email=f"{CODE}@example.com")
    exam = Exam.objects.filter(code=CODE).first() or create_exam(code=CODE, title="Benchmark", owner=owner)
    try:
        yield exam, candidate
    finally:
        for session in ExamSession.objects.filter(exam=exam):
            erase_session(session=session)
        exam.delete()
        user = candidate.user
        candidate.delete()
        user.delete()
        if new_owner:
            owner.delete()
