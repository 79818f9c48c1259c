"""Make the PDFs of sessions again."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from accounts.audit import record_audit
from accounts.commands import DatabaseCommand
from exams.models import Exam, ExamSession
from reports.many import make_reports
from reports.models import SessionReport
from reports.services import RELATED, render_pdf


class Command(DatabaseCommand):
    """Make the PDFs of sessions again: all, those of one exam, one, or those since a day."""

    help = "Make the PDF reports of sessions again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exam", metavar="CODE", help="only sessions of this exam")
        parser.add_argument("--session", metavar="ID", help="only this session")
        parser.add_argument("--since", metavar="DATE", help="only sessions made on or after this day (2026-01-31)")
        parser.add_argument("--output", metavar="FILE", help="with --session: write the PDF to this file instead")
        languages = [code for code, _name in settings.LANGUAGES]
        parser.add_argument("--language", choices=languages, default="", help="of the PDFs (default: the site's)")
        cores = os.cpu_count() or 1
        parser.add_argument(
            "--jobs", metavar="N", type=int, default=cores, help=f"make so many at once (default: {cores}, the cores)"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["jobs"] < 1:
            raise CommandError("--jobs is 1 or more.")
        if options["output"] and not options["session"]:
            raise CommandError("--output needs --session: one file holds one report.")
        sessions = _chosen(options["exam"], options["session"], options["since"])
        if options["output"]:
            session = sessions.first()
            if session is None:
                raise CommandError("No session fits what was asked for.")
            self._write(session, Path(options["output"]), options["language"], as_json=options["json"])
            return
        self._tell(
            _made([session.pk for session in sessions], options["jobs"], options["language"]), as_json=options["json"]
        )

    def _write(self, session: ExamSession, path: Path, language: str, *, as_json: bool) -> None:
        content = render_pdf(session, language=language)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        # Who is at the command line is not known here; that it was done is.
        record_audit(
            action="exported",
            outcome="session_report",
            subject=session.candidate.user,
            detail={"form": "pdf", "rows": 1, "session": str(session.pk), "exam": session.exam.code, "command": True},
        )
        result = {"session": str(session.pk), "file": str(path), "bytes": len(content)}
        self.stdout.write(json.dumps(result) if as_json else f"{path}: {len(content)} bytes.")

    def _tell(self, reports: list[SessionReport], *, as_json: bool) -> None:
        failed = [report for report in reports if report.status == SessionReport.Status.FAILED]
        if as_json:
            self.stdout.write(json.dumps({"reports": [_as_json(report) for report in reports]}))
        else:
            self.stdout.write(f"{len(reports) - len(failed)} reports made.")
        if failed:
            first = failed[0]
            raise CommandError(f"{len(failed)} reports failed; the first, session {first.session_id}: {first.error}")


def _made(sessions: list[UUID], jobs: int, language: str) -> list[SessionReport]:
    """Make the reports of these sessions, with a progress bar for people, and return their rows in the same order."""
    making = make_reports(sessions, jobs=jobs, language=language)
    try:
        for _session in tqdm(making, total=len(sessions), unit="report", disable=not sys.stderr.isatty(), leave=False):
            pass
    except BrokenProcessPool as error:
        raise CommandError("A process that made reports was ended; fewer at once (--jobs) need less memory.") from error
    rows = {report.session_id: report for report in SessionReport.objects.filter(session__in=sessions)}
    return [rows[session] for session in sessions if session in rows]


def _as_json(report: SessionReport) -> dict[str, Any]:
    return {
        "session": str(report.session_id),
        "status": report.status,
        "file": report.file.name or None,
        "content_sha256": report.content_sha256 or None,
        "error": report.error or None,
    }


def _chosen(exam: str | None, session: str | None, since: str | None) -> QuerySet[ExamSession]:
    sessions = ExamSession.objects.select_related(*RELATED).order_by("created_at")
    if exam:
        if not Exam.objects.filter(code=exam).exists():
            raise CommandError(f"There is no exam with the code {exam!r}.")
        sessions = sessions.filter(exam__code=exam)
    if session:
        sessions = sessions.filter(pk=_uuid(session))
        if not sessions.exists():
            raise CommandError(f"There is no session {session}{f' in the exam {exam!r}' if exam else ''}.")
    if since:
        sessions = sessions.filter(created_at__gte=_moment(since))
    return sessions


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(
            f"{text!r} is no session id, which looks like 01234567-89ab-cdef-0123-456789abcdef."
        ) from error


def _moment(text: str) -> datetime:
    try:
        day, moment = parse_date(text), None
        moment = datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no date; write it like 2026-01-31.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
