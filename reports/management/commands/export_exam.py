"""Write the report of a whole exam to a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from accounts.audit import record_audit
from accounts.commands import DatabaseCommand
from exams.models import Exam
from reports.exam_report import exam_file


class Command(DatabaseCommand):
    """Write everybody of an exam, what was found and who decided, as PDF or as a table."""

    help = "Write the report of a whole exam to a file: a PDF, or a table for spreadsheets (.csv)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE", help="of the exam")
        parser.add_argument("file", metavar="FILE", type=Path, help="to be written: NAME.pdf or NAME.csv")
        languages = [code for code, _name in settings.LANGUAGES]
        parser.add_argument("--language", choices=languages, default="", help="of the PDF (default: the site's)")

        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        exam = Exam.objects.filter(code=options["code"]).first()
        if exam is None:
            raise CommandError(f"There is no exam with the code {options['code']!r}.")
        form = path.suffix.lower().removeprefix(".")
        if form not in ("pdf", "csv"):
            raise CommandError(f"{path} is to end with .pdf or .csv.")
        content, rows = exam_file(exam, form, language=options["language"])
        try:
            path.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        # Who is at the command line is not known here; that it was done is.
        record_audit(
            action="exported",
            outcome="exam_report",
            detail={"form": form, "rows": rows, "exam": exam.code, "command": True},
        )
        result = {"exam": exam.code, "file": str(path), "bytes": len(content)}
        self.stdout.write(json.dumps(result) if options["json"] else f"{path}: {len(content)} bytes.")
