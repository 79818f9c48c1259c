"""Judge ended sessions under another version of their exam's policy."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from exams.models import Exam, ExamSession, ProctoringPolicy
from monitoring.rescoring import Rescored, rescore_session


class Command(DatabaseCommand):
    """See ``help``."""

    help = "Apply a policy to what was observed in ended sessions, without pictures or models; decisions carry over."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--exam", metavar="CODE", help="only sessions of this exam (default: of every exam)")
        parser.add_argument("--policy", type=int, metavar="VERSION", help="the version (default: each exam's newest)")
        parser.add_argument("--dry-run", action="store_true", help="show what would change and write nothing")
        parser.add_argument("--json", action="store_true", help="print the changes as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rescore and show what changes."""
        exams = self._exams(options["exam"])
        policies = [policy for exam in exams if (policy := self._policy(exam, options["policy"]))]
        if options["policy"] is not None and not policies:
            where = f"The exam {options['exam']!r} has no" if options["exam"] else "No exam has a"
            raise CommandError(f"{where} policy version {options['policy']}.")
        results = [result for policy in policies for result in self._rescore(policy, options["dry_run"])]
        if options["json"]:
            self.stdout.write(json.dumps([_row(result) for result in results]))
            return
        for result in results:
            self.stdout.write(_line(result))
        changed = sum(result.changed for result in results)
        told = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{len(results)} sessions judged, {changed} {told}.")

    def _exams(self, code: str | None) -> list[Exam]:
        exams = list(Exam.objects.filter(code=code) if code else Exam.objects.all())
        if code and not exams:
            raise CommandError(f"There is no exam with the code {code!r}.")
        return exams

    def _policy(self, exam: Exam, version: int | None) -> ProctoringPolicy | None:
        return exam.current_policy if version is None else exam.policies.filter(version=version).first()

    def _rescore(self, policy: ProctoringPolicy, dry_run: bool) -> list[Rescored]:
        exam = policy.exam
        sessions = ExamSession.objects.filter(exam=exam, ended_at__isnull=False).select_related(
            "exam", "candidate__user"
        )
        bar = tqdm(sessions.order_by("created_at"), desc=exam.code, unit="session", disable=not sys.stderr.isatty())
        found = (rescore_session(session=session, policy=policy, dry_run=dry_run) for session in bar)
        return [result for result in found if result is not None]


def _row(result: Rescored) -> dict[str, Any]:
    return {
        "session": str(result.session.pk),
        "exam": result.session.exam.code,
        "policy": result.policy.version,
        "activities": [result.activities_before, result.activities_after],
        "risk_score": [result.risk_before, result.risk_after],
        "risk_level": [result.level_before, result.level_after],
        "changed": result.changed,
    }


def _line(result: Rescored) -> str:
    return (
        f"{result.session}  policy v{result.policy.version}: "
        f"activities {result.activities_before} → {result.activities_after}, "
        f"risk {result.risk_before:g} ({result.level_before}) → {result.risk_after:g} ({result.level_after})"
    )
