"""Ordering of lists."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request


class StableOrdering(OrderingFilter):
    """``?ordering=``; rows that are equal in it keep one order, so that none is missed or seen twice between pages."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the rows in the order asked for."""
        ordering = self.get_ordering(request, queryset, view)
        if not ordering:
            return queryset
        # In the direction of the rest, so that an index can be read from either end.
        return queryset.order_by(*ordering, "-pk" if str(ordering[0]).startswith("-") else "pk")
