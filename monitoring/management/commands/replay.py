"""Proctor recorded exams."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from accounts.models import Candidate
from exams.models import Exam
from exams.services import SessionRefused
from monitoring.replay import Replayed, printable, replay_recording
from monitoring.replay_faces import UnfitFile, face_in_files
from monitoring.results import session_result
from vision.recording import RecordingError

DEMO_EXAM, DEMO_CANDIDATE = "demo", "student@example.com"


def read_time(text: str) -> datetime:
    """Read an ISO 8601 time; without a zone it is in the server's."""
    try:
        time = parse_datetime(text)
    except ValueError:
        time = None
    if time is None or not 1970 < time.year < 2100:
        raise CommandError(f"{text!r} is not a time such as 2026-01-31T09:00:00Z.")
    return timezone.make_aware(time) if timezone.is_naive(time) else time


def read_fps(text: str) -> float:
    """Read a sampling rate between one picture a minute and 60 a second."""
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 1 / 60 <= fps <= 60:
        raise CommandError(f"{text!r} is no sampling rate between 0.017 and 60 pictures a second.")
    return fps


@contextmanager
def _ending_like_interrupted() -> Iterator[None]:
    """Let a polite request to end do what Ctrl-C does, so that no session stays open."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_target(pdf: Path) -> None:
    folder = pdf.absolute().parent
    if not folder.is_dir():
        raise CommandError(f"The folder of {pdf} does not exist.")
    if pdf.is_dir() or not os.access(folder, os.W_OK):
        raise CommandError(f"{pdf} cannot be written.")


class Command(DatabaseCommand):
    """See ``help``."""

    help = "Proctor recorded exams: each recording becomes a session with activities, evidence and scores."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="a video or a folder of pictures")
        parser.add_argument("--exam", metavar="CODE", help="the exam (default: the demonstration exam)")
        parser.add_argument("--candidate", metavar="EMAIL", help="who sat it (default: the demonstration candidate)")
        parser.add_argument("--fps", default="1", help="pictures to look at per second (default: 1)")
        parser.add_argument("--start-at", metavar="TIME", help="when it began (default: so that it ends now)")
        parser.add_argument(
            "--enrol",
            nargs="+",
            action="extend",
            type=Path,
            default=[],
            metavar="PICTURE",
            help="one to five pictures of the candidate to compare with; they are kept nowhere",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object a line for each recording")
        parser.add_argument("--pdf", type=Path, metavar="FILE", help="write the report there (one recording only)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay one recording after the other."""
        if options["pdf"] and len(options["videos"]) > 1:
            raise CommandError("--pdf goes with one recording only.")
        if options["pdf"]:
            _check_target(options["pdf"])
        options["fps"] = read_fps(options["fps"])
        options["start_at"] = read_time(options["start_at"]) if options["start_at"] else None
        options["enrolled"] = self._face(options["enrol"])
        exam, candidate = self._exam(options["exam"]), self._candidate(options["candidate"])
        try:
            with _ending_like_interrupted():
                for path in options["videos"]:
                    self._proctor(path, exam, candidate, options)
        except KeyboardInterrupt as error:
            raise CommandError(
                "The replay was broken off; a session that it had begun is closed as terminated.", returncode=130
            ) from error

    def _proctor(self, path: Path, exam: Exam, candidate: Candidate, options: dict[str, Any]) -> None:
        replayed = self._replay(path, exam, candidate, options)
        report, trouble = self._report(replayed, options["pdf"])
        self._tell(replayed, report, as_json=options["json"])
        if trouble:
            raise CommandError(trouble)

    def _face(self, pictures: list[Path]) -> tuple[float, ...]:
        try:
            return face_in_files(pictures) if pictures else ()
        except UnfitFile as error:
            raise CommandError(printable(str(error))) from error

    def _exam(self, code: str | None) -> Exam:
        if code is None and not Exam.objects.filter(code=DEMO_EXAM).exists():
            call_command("seed_exams", verbosity=0, stdout=sys.stderr)
        exam = Exam.objects.filter(code=code or DEMO_EXAM).first()
        if exam is None:
            raise CommandError(f"There is no exam with the code {code!r}.")
        return exam

    def _candidate(self, email: str | None) -> Candidate:
        if email is None and not Candidate.objects.filter(user__email=DEMO_CANDIDATE).exists():
            call_command("seed_exams", verbosity=0, stdout=sys.stderr)
        candidate = Candidate.objects.filter(user__email__iexact=email or DEMO_CANDIDATE).first()
        if candidate is None:
            raise CommandError(f"There is no candidate with the address {email!r}.")
        return candidate

    def _replay(self, path: Path, exam: Exam, candidate: Candidate, options: dict[str, Any]) -> Replayed:
        with tqdm(
            desc=printable(path.name)[:40], unit="frame", file=sys.stderr, disable=not sys.stderr.isatty()
        ) as bar:

            def progress(done: int, total: int | None) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                return replay_recording(
                    path=path,
                    exam=exam,
                    candidate=candidate,
                    fps=options["fps"],
                    start_at=options["start_at"],
                    enrolled=options["enrolled"],
                    progress=progress,
                )
            except (RecordingError, SessionRefused) as error:
                raise CommandError(printable(str(error))) from error

    def _report(self, replayed: Replayed, pdf: Path | None) -> tuple[str | None, str]:
        """Write the PDF; returns where it is, and what went wrong, so that the result is told in any case."""
        if pdf is None:
            return None, ""
        try:
            call_command("regenerate_reports", session=str(replayed.session.pk), output=pdf, stdout=sys.stderr)
        except CommandError as error:
            return None, str(error)
        return str(pdf), ""

    def _tell(self, replayed: Replayed, report: str | None, *, as_json: bool) -> None:
        timings = replayed.timings_ms
        result = session_result(replayed.session) | {
            "report": report,
            "timings_ms": {
                "decoding": round(timings.decoding, 1),
                "vision": round(timings.vision, 1),
                "recording": round(timings.recording, 1),
                "evidence": round(timings.evidence, 1),
                "hearing": round(timings.hearing, 1),
                "stages": {name: round(spent, 1) for name, spent in timings.stages.items()},
            },
        }
        if as_json:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write("\n".join(_lines(result)))


def _lines(result: dict[str, Any]) -> list[str]:
    frames = result["frames"]
    lines = [
        f"Session {result['session']} ({result['candidate']} in {result['exam']}, policy v{result['policy_version']})",
        f"  {frames['analysed']} of {frames['total']} pictures analysed, {frames['unusable']} could not be examined",
        "  coverage: " + ", ".join(f"{sense} {share:.0%}" for sense, share in result["coverage"].items()),
    ]
    for item in result["activities"]:
        span = f"{_clock(item['started_s'])}–{_clock(item['ended_s'])}"
        lines.append(f"  {span}  {item['kind']:<16} {item['confidence']:.0%}  {item['explanation']}")
    if not result["activities"]:
        lines.append("  nothing suspicious was seen")
    compliance = result["compliance_score"]
    lines.append(
        f"  risk {result['risk_score']:g} ({result['risk_level']}), trust {result['trust_score']:g}, "
        f"compliance {'unknown' if compliance is None else f'{compliance:g} %'}"
    )
    return lines + ([f"  report: {result['report']}"] if result["report"] else [])


def _clock(seconds: float | None) -> str:
    return "…" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"
