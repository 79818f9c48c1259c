"""Candidates of exams as rows of a table: read from a file, and written to one."""

from __future__ import annotations

from typing import Any

import tablib
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import Diff, ModelResource
from import_export.results import Result

from accounts.csv_files import Table
from accounts.errors import Refused
from exams.authoring import ACCOMMODATIONS, MAX_CANDIDATES_AT_ONCE, assign_candidates
from exams.models import Exam, ExamAssignment, check_muted
from exams.selectors import managed_exams

NEEDED = ("exam", "email")
COLUMNS = (*NEEDED, "full_name", "external_id", "extra_minutes", "time_factor", "break_minutes", "muted")


class RowForm(forms.Form):
    """One line of the file; an empty cell says nothing, so that what is there stays."""

    email = forms.EmailField(max_length=254)
    full_name = forms.CharField(max_length=200, required=False)
    external_id = forms.CharField(max_length=64, required=False)
    extra_minutes = forms.IntegerField(min_value=0, max_value=24 * 60, required=False)
    time_factor = forms.FloatField(validators=[MinValueValidator(1.0), MaxValueValidator(5.0)], required=False)
    break_minutes = forms.IntegerField(min_value=0, max_value=24 * 60, required=False)
    muted = forms.CharField(max_length=1000, required=False)

    def clean_muted(self) -> list[str] | None:
        """Read names with spaces, commas or semicolons between them; a dash mutes nothing."""
        told = self.cleaned_data["muted"].replace(",", " ").replace(";", " ").split()
        if not told:
            return None
        names = [] if told == ["-"] else told
        check_muted(names)
        return names

    def wanted(self) -> dict[str, Any]:
        """Return what ``assign_candidates`` takes."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}


class CellDiff(Diff):
    """What a cell was and what it becomes, marked by elements, which a strict page may style."""

    def __init__(self, resource: CandidateRows, instance: ExamAssignment, new: bool) -> None:
        self.left, self.new = _cells(resource, instance), new
        self.right: list[Any] = []

    def compare_with(self, resource: CandidateRows, instance: ExamAssignment) -> None:
        """Take down what the row says now."""
        self.right = _cells(resource, instance)

    def as_html(self) -> list[str]:
        """Return one piece of HTML per cell."""
        return [_cell(new if self.new else old, new) for old, new in zip(self.left, self.right, strict=True)]


def _cells(resource: CandidateRows, instance: ExamAssignment) -> list[Any]:
    return [resource.export_field(field, instance) for field in resource.get_import_fields()]


def _cell(old: Any, new: Any) -> str:
    if old == new:
        return format_html("{}", new)
    if old in (None, ""):
        return format_html("<ins>{}</ins>", new)
    return format_html("<del>{}</del> <ins>{}</ins>", old, new)


class CandidateRows(ModelResource):
    """One row per candidate and exam; written through the same service as the interface for programs.

    Only exams of the user who imports are found. The first bad thing about a row is told in a sentence.
    """

    exam = Field(attribute="exam__code", column_name="exam")
    email = Field(attribute="candidate__user__email", column_name="email")
    full_name = Field(attribute="candidate__user__full_name", column_name="full_name")
    external_id = Field(attribute="candidate__external_id", column_name="external_id")
    muted = Field(column_name="muted")

    class Meta:
        model = ExamAssignment
        fields = COLUMNS
        import_order = export_order = COLUMNS
        import_id_fields = NEEDED
        use_transactions = True

    @classmethod
    def get_diff_class(cls) -> type[Diff]:
        """Mark changes without styles inside the page."""
        return CellDiff

    def dehydrate_muted(self, assignment: ExamAssignment) -> str:
        """Write the names one after another."""
        return " ".join(assignment.muted)

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        """Refuse a file whose columns are not known, or that is too long."""
        headers = dataset.headers
        missing = [name for name in NEEDED if name not in headers]
        unknown = [name or "?" for name in headers if name not in COLUMNS]
        if missing or unknown or len(set(headers)) < len(headers):
            known = ", ".join(COLUMNS)
            raise ValidationError(
                _("The columns must be among %(known)s; exam and email are needed.") % {"known": known}
            )
        if len(dataset) > MAX_CANDIDATES_AT_ONCE:
            raise ValidationError(_("At most %(n)d lines at once, please.") % {"n": MAX_CANDIDATES_AT_ONCE})
        exams = managed_exams(kwargs["user"]).filter(code__in=set(dataset["exam"]))
        self.exams: dict[str, Exam] = {exam.code: exam for exam in exams}
        self.told: set[tuple[Any, str]] = set()

    def after_import(self, dataset: Table, result: Result, **kwargs: Any) -> None:
        """Have what cannot be imported stand under its number in the file."""
        super().after_import(dataset, result, **kwargs)
        for row in (*result.invalid_rows, *result.error_rows):
            row.number = dataset.lines[row.number - 1]

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        """Read the row, or say what is wrong with it."""
        exam = self.exams.get(row["exam"])
        if exam is None:
            raise ValidationError(_("You have no exam with the code “%(code)s”.") % {"code": row["exam"]})
        form = RowForm(row)
        if not form.is_valid():
            name, messages = next(iter(form.errors.items()))
            raise ValidationError(f"{name}: {messages[0]}")
        self.wanted = form.wanted()
        key = (exam.pk, self.wanted["email"].lower())
        if key in self.told:
            raise ValidationError(_("This candidate stands in the file before, for the same exam."))
        self.told.add(key)

    def get_instance(self, instance_loader: Any, row: dict[str, Any]) -> ExamAssignment | None:
        """Return the assignment that is there already."""
        rows = ExamAssignment.objects.filter(exam=self.exams[row["exam"]]).select_related("exam", "candidate__user")
        return rows.filter(candidate__user__email=self.wanted["email"].lower()).first()

    def init_instance(self, row: dict[str, Any] | None = None) -> ExamAssignment:
        """Return an assignment to the exam of the row."""
        return ExamAssignment(exam=self.exams[(row or {})["exam"]])

    def import_instance(self, instance: ExamAssignment, row: dict[str, Any], **kwargs: Any) -> None:
        """Leave it to the service."""

    def do_instance_save(self, instance: ExamAssignment, is_create: bool) -> None:
        """Assign the candidate, and show the row as it stands then."""
        try:
            [saved], _new = assign_candidates(exam=instance.exam, wanted=[self.wanted])
        except Refused as refused:
            raise ValidationError(str(refused)) from refused
        except ValidationError as error:
            raise ValidationError(error.messages[0]) from error
        for name in ("pk", "candidate", *ACCOMMODATIONS):
            setattr(instance, name, getattr(saved, name))
