"""One pass of the senses over labelled media, and all that was answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.evaluation import composed, hearing, likeness, looking, questions, spoilt, stretches
from monitoring.evaluation.figures import Answer, Rate
from monitoring.evaluation.hearing import Diarization
from monitoring.evaluation.labels import LabelError, Sample
from monitoring.evaluation.likeness import LIKENESS, Portraits
from monitoring.evaluation.looking import Span
from monitoring.evaluation.stretches import Expected, SpanFigures
from monitoring.evaluation.traits import why_unexamined
from monitoring.replay_faces import UnfitFile, face_in_files
from vision.recording import RecordingError

logger = logging.getLogger(__name__)
DIARIZATION = "DIARIZATION"
"""Who spoke when: measured by its error rate."""

COUNTING = "FACE_COUNT"
"""How many faces there are exactly: not a yes-or-no question, but asked like one."""

STAGED = "exams"
"""Folder of whole exams: recordings, and beside each a JSON file that says what was staged when."""

UNSTAGED = ("present", "SPEECH")
Step = Callable[[str], None]
"""Told the name of each file that is done."""


@dataclass(slots=True)
class Run:
    """What was answered: by question about pictures, by kind about recordings and whole exams."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    counts: list[Answer] = field(default_factory=list)
    clips: dict[str, SpanFigures] = field(default_factory=dict)
    exams: dict[str, SpanFigures] = field(default_factory=dict)
    sounds: dict[str, list[Answer]] = field(default_factory=dict)
    composed: dict[str, list[Answer]] = field(default_factory=dict)
    diarization: Diarization = field(default_factory=Diarization)
    diarized: int = 0
    portraits: Portraits = field(default_factory=Portraits)
    unread: list[str] = field(default_factory=list)
    pictures: int = 0
    cpu_ms: float = 0.0
    sound_s: float = 0.0
    sound_cpu_ms: float = 0.0

    @property
    def counted(self) -> Rate:
        """Share of the examined pictures whose faces were counted exactly."""
        examined = [one for one in self.counts if one.said is not None]
        return Rate(sum(bool(one.said) for one in examined), len(examined))


def evaluate(samples: Sequence[Sample], *, policy: Policy, only: Collection[str] = (), done: Step) -> Run:
    """Ask of each sample what its labels can judge; with ``only``, questions and kinds of these names alone."""
    run = Run()
    for sample in samples:
        if sample.media == "image":
            _ask_picture(sample, policy, only, run)
        elif sample.media == "video":
            _ask_clip(sample, policy, only, run)
        else:
            _ask_sound(sample, policy, only, run)
        done(sample.name)
    if _wanted(LIKENESS, only):
        run.portraits = likeness.portray_people(samples)
    if _wanted(hearing.SECOND_VOICE, only):
        run.sounds[hearing.SECOND_VOICE] = hearing.second_voice(samples, policy)
    if _wanted(composed.SHOWN_RECORDING, only):
        run.clips[composed.SHOWN_RECORDING] = composed.shown_recordings(samples, policy)
    if _wanted(Kind.BACKGROUND_VOICE, only):
        run.sounds[Kind.BACKGROUND_VOICE] = hearing.background_voice(samples, policy)
    for spoil in (spoilt.spoilt_pictures, spoilt.spoilt_sounds):
        run.composed |= spoil(samples, policy, partial(_wanted, only=only))
    return run


def evaluate_exams(
    exams: Sequence[Sample], run: Run, *, policy: Policy, only: Collection[str] = (), done: Step
) -> None:
    """Watch whole exams: what was staged in them, and that nothing else comes up."""
    for sample in exams:
        watched = _watched(sample, policy, run, _enrolled(sample, run))
        if watched is not None:
            watched = replace(watched, spans=tuple(span for span in watched.spans if not _is_by_another(span, sample)))
            spans = tuple(
                Span(item["kind"], float(item["start_s"]), float(item["end_s"]))
                for item in sample.labels["timeline"]
                if item["kind"] not in UNSTAGED
            )
            kinds = {span.kind for span in (*spans, *watched.spans)}
            _judge(run.exams, sample.name, Expected(spans, frozenset(kinds)), watched, only)
        done(sample.name)


def _enrolled(sample: Sample, run: Run) -> tuple[float, ...]:
    """Return the face that the exam's own pictures enrol, empty where it names none or they will not do."""
    named = sample.labels.get("enrol", [])
    if not named:
        return ()
    try:
        return face_in_files([sample.path.parent.parent / str(name) for name in named])
    except UnfitFile as error:
        run.unread.append(str(error))
        return ()


def _is_by_another(span: Span, sample: Sample) -> bool:
    """Say whether the face is another's because somebody else plays that part of the exam, and is so rightly."""
    candidate = sample.labels.get("candidate")
    parts = [part for part in sample.labels["timeline"] if part["start_s"] <= span.start_s < part["end_s"]]
    files = [str(name) for part in parts for name in part.get("files", ())]
    about_faces = span.kind in (Kind.IDENTITY_MISMATCH, Kind.IDENTITY_UNSURE)
    staged = any(part["kind"] == span.kind for part in parts)
    return (
        about_faces and not staged and bool(candidate and files) and not any(str(candidate) in name for name in files)
    )


def read_exams(folder: Path) -> list[Sample]:
    """Return the whole exams of a folder of media, if there are any; raises ``LabelError``."""
    found = []
    for path in sorted((folder / STAGED).glob("*.json")):
        recording = path.with_suffix(".mp4")
        try:
            told: Any = json.loads(path.read_text(encoding="utf-8"))
            if not recording.is_file():
                raise LabelError(f"There is no {recording.name} beside {path.name}.")
            if not all({"kind", "start_s", "end_s"} <= item.keys() for item in told["timeline"]):
                raise LabelError(f"{path.name}: each part of the timeline needs kind, start_s and end_s.")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, LabelError):
                raise
            raise LabelError(f"{path.name} cannot be read: {error!r}.") from error
        found.append(Sample(f"{STAGED}/{recording.name}", recording, "video", told))
    return found


def _ask_picture(sample: Sample, policy: Policy, only: Collection[str], run: Run) -> None:
    asked = [(question, question.truth(sample.labels)) for question in questions.QUESTIONS]
    asked = [(question, truth) for question, truth in asked if truth is not None and _wanted(question.name, only)]
    faces = questions.face_count(sample.labels) if _wanted(COUNTING, only) else None
    if not asked and faces is None:
        return
    seen = looking.look_at(sample, policy)
    if seen.trouble:
        run.unread.append(f"{sample.name}: {seen.trouble}")
    run.pictures += 1
    run.cpu_ms += seen.cpu_ms
    for question, truth in asked:
        cue = question.answer(seen.facts, policy)
        why = "" if cue.value is not None else seen.trouble or why_unexamined(question.name, seen.facts, seen.traits)
        answer = Answer(sample.name, bool(truth), cue.value, cue.confidence, sample.conditions, seen.traits, why)
        run.answers.setdefault(question.name, []).append(answer)
    if faces is not None:
        found = questions.counted(seen.facts, policy)
        exact = None if found is None else found == faces
        run.counts.append(Answer(sample.name, True, exact, 1.0, sample.conditions))


def _ask_sound(sample: Sample, policy: Policy, only: Collection[str], run: Run) -> None:
    """Ask whether somebody speaks, and where turns are labelled who spoke when."""
    import av

    speech, turns = sample.labels.get("speech"), sample.labels.get("turns")
    wants_speech = isinstance(speech, bool) and _wanted(Kind.SPEECH, only)
    turns = turns if isinstance(turns, list) and _wanted(DIARIZATION, only) else None
    if not wants_speech and turns is None:
        return
    try:
        listened = hearing.listen_to(sample.path, policy)
    except (OSError, av.FFmpegError) as error:
        run.unread.append(f"{sample.name}: {error}")
        return
    run.sound_s += listened.seconds
    run.sound_cpu_ms += listened.cpu_ms
    if wants_speech:
        said, confidence = listened.cue(Kind.SPEECH, policy)
        answer = Answer(sample.name, bool(speech), said, confidence, sample.conditions)
        run.sounds.setdefault(Kind.SPEECH, []).append(answer)
    if turns is not None:
        run.diarization.add(turns, listened.turns(), listened.seconds)
        run.diarized += 1


def _ask_clip(sample: Sample, policy: Policy, only: Collection[str], run: Run) -> None:
    if not any(_wanted(kind, only) for kind in stretches.expected_of(sample.labels, 1.0).judged):
        return
    watched = _watched(sample, policy, run)
    if watched is not None:
        _judge(run.clips, sample.name, stretches.expected_of(sample.labels, watched.seconds), watched, only)


def _watched(sample: Sample, policy: Policy, run: Run, enrolled: tuple[float, ...] = ()) -> looking.Watched | None:
    try:
        return looking.watch(sample, policy, enrolled)
    except RecordingError as error:
        run.unread.append(f"{sample.name}: {error}")
        return None


def _judge(
    by_kind: dict[str, SpanFigures], name: str, expected: Expected, watched: looking.Watched, only: Collection[str]
) -> None:
    for kind in sorted(expected.judged):
        if _wanted(kind, only):
            by_kind.setdefault(kind, SpanFigures()).add(name, kind, expected, watched.spans, watched.seconds)


def _wanted(name: str, only: Collection[str]) -> bool:
    return not only or name in only
