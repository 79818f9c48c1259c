"""What the calls about exams share: who may call, which exam is meant, fields and filters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated, OperandHolder
from rest_framework.request import Request

from accounts.models import User
from accounts.permissions import IsStaff, IsTeacher
from exams.kinds import Kind
from exams.models import Exam, ExamAssignment
from exams.policy import MUTED_GROUPS
from exams.selectors import may_manage, visible_exams
from vision.types import Sense

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
"""Times beyond these are mistakes, and some databases cannot keep them."""


class Reading(BasePermission):
    """Lets through whoever only reads."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Say whether the call changes nothing."""
        return request.method in SAFE_METHODS


READ_BY_ALL_WRITTEN_BY_TEACHERS: list[OperandHolder] = [IsTeacher | (IsAuthenticated & Reading)]
READ_BY_STAFF_WRITTEN_BY_TEACHERS: list[OperandHolder] = [IsTeacher | (IsStaff & Reading)]


def find_exam(user: User, pk: UUID) -> Exam:
    """Return an exam that this member of staff sees; for everybody else there is none (404)."""
    return get_object_or_404(visible_exams(user), pk=pk)


def find_managed_exam(user: User, pk: UUID) -> Exam:
    """Return an exam that this user may change: 404 if they do not see it, 403 if they only review it."""
    exam = find_exam(user, pk)
    if not may_manage(user, exam):
        raise PermissionDenied
    return exam


class TimeField(serializers.DateTimeField):
    """A time that every database can keep."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators += [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]


class TimeFilter(filters.IsoDateTimeFilter):
    """A time that every database can compare with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        checks = [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]
        super().__init__(*args, validators=checks, **kwargs)


class FactorField(serializers.FloatField):
    """A number that is one: text such as "nan" slips past every limit."""

    default_error_messages: ClassVar[dict[str, Any]] = {"not_finite": _("A valid number is required.")}

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        number = super().to_internal_value(data)
        if number != number:  # noqa: PLR0124  what differs from itself is no number
            self.fail("not_finite")
        return number


class MutedField(serializers.ListField):
    """A list of senses, kinds and groups of both; each counts once."""

    def __init__(self, **kwargs: Any) -> None:
        words = [*map(str, Sense), *MUTED_GROUPS, *map(str, Kind)]
        super().__init__(child=serializers.ChoiceField(choices=words), max_length=len(words), **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        """Return the words in the order in which they first stand."""
        return list(dict.fromkeys(super().run_validation(data)))


class AccommodationsSerializer(serializers.ModelSerializer):
    """What is arranged for one candidate."""

    time_factor = FactorField(min_value=1, max_value=5, required=False, help_text="1.5 gives half as much time again.")
    muted = MutedField(required=False, help_text="Senses, kinds or groups such as gaze that are not examined.")

    class Meta:
        model = ExamAssignment
        fields = ("extra_minutes", "time_factor", "break_minutes", "muted")
        extra_kwargs = {
            "extra_minutes": {"max_value": 24 * 60, "min_value": 0},
            "break_minutes": {"max_value": 24 * 60, "min_value": 0},
        }
