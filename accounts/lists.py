"""Long lists, read in few and small steps; apps above build their lists on these."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import generics


class KeysFirst(generics.ListAPIView):
    """A list that finds the keys of its page first and then reads those rows: sorting whole rows takes far longer."""

    def rows(self, keys: list[Any]) -> QuerySet[Any]:
        """Return the rows with these keys, with all that is shown of them."""
        raise NotImplementedError

    def keys(self, queryset: QuerySet[Any]) -> Any:
        """Return the keys of all rows in their order, to be counted and cut into pages."""
        return queryset.values_list("pk", flat=True)

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """Return the rows of the page in its order."""
        keys = list(super().paginate_queryset(self.keys(queryset)) or [])
        found = {row.pk: row for row in self.rows(keys)}
        return [found[key] for key in keys if key in found]


class GatheredOrWalked:
    """Rows that are somebody's, for a paginator, found in one of two ways.

    A database can gather all that are theirs and sort them, which is best for counting and for few, or walk through
    everybody's in order and look whose each is, which is best for the first pages of many. Both querysets must hold the
    same rows in the same order.
    """

    MANY_PAGES = 100

    def __init__(self, gathered: QuerySet[Any, Any], walked: Callable[[], QuerySet[Any, Any]]) -> None:
        self._gathered = gathered
        self._walked = walked

    @cached_property
    def _count(self) -> int:
        return self._gathered.count()

    def count(self) -> int:
        """Return how many there are."""
        return self._count

    def __getitem__(self, part: slice) -> Any:
        """Return one page."""
        return (self._walked() if part.stop * self.MANY_PAGES <= self._count else self._gathered)[part]


class OwnKeysFirst(KeysFirst):
    """A list of those of many rows that concern the caller."""

    indexed: ClassVar[frozenset[str]]
    """Columns with an index, in whose order one can walk through all rows."""

    def visible(self, *, walk: bool) -> QuerySet[Any]:
        """Return the caller's rows, as ``GatheredOrWalked`` says."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's rows."""
        return self.visible(walk=False)

    def keys(self, queryset: QuerySet[Any]) -> Any:
        """Return the keys in their order, found in the faster way."""
        gathered = super().keys(queryset)
        if str(queryset.query.order_by[0]).lstrip("-") not in self.indexed:
            return gathered
        walked = super().keys
        return GatheredOrWalked(gathered, lambda: walked(self.filter_queryset(self.visible(walk=True))))
