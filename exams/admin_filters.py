"""Filters that the admin's lists share."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import User
from exams.selectors import visible_exams


class ExamFilter(admin.RelatedFieldListFilter):
    """Rows of one of the exams that the user may see.

    Django's own offers those of them that have any rows, and walks through all rows to find out.
    """

    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[Any]:
        """Return the keys and names of these exams, in the admin's order."""
        seen = visible_exams(cast(User, request.user)).order_by().values("pk")
        ordering = self.field_admin_ordering(field, request, model_admin)
        return list(field.get_choices(include_blank=False, limit_choices_to={"pk__in": seen}, ordering=ordering))
