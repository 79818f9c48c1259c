"""Make the PDFs of sessions again."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from exams.models import Exam, ExamSession
from reports.models import SessionReport
from reports.services import RELATED, make_report, render_pdf


class Command(DatabaseCommand):
    """Make the PDFs of sessions again: all, those of one exam, one, or those since a day."""

    help = "Make the PDF reports of sessions again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exam", metavar="CODE", help="only sessions of this exam")
        parser.add_argument("--session", metavar="ID", help="only this session")
        parser.add_argument("--since", metavar="DATE", help="only sessions made on or after this day (2026-01-31)")
        parser.add_argument("--output", metavar="FILE", help="with --session: write the PDF to this file instead")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["output"] and not options["session"]:
            raise CommandError("--output needs --session: one file holds one report.")
        sessions = _chosen(options["exam"], options["session"], options["since"])
        if options["output"]:
            session = sessions.first()
            if session is None:
                raise CommandError("No session fits what was asked for.")
            self._write(session, Path(options["output"]), as_json=options["json"])
            return
        reports = [
            make_report(session=session)
            for session in tqdm(sessions, unit="report", disable=not sys.stderr.isatty(), leave=False)
        ]
        self._tell(reports, as_json=options["json"])

    def _write(self, session: ExamSession, path: Path, *, as_json: bool) -> None:
        content = render_pdf(session)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
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
