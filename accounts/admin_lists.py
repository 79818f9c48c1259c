"""What long lists of the admin share: rows are found by their keys and counted once, dates are offered cheaply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Literal

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Max, Min, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import smart_split, unescape_string_literal

Kind = Literal["day", "month", "year"]
STEP: dict[Kind, timedelta] = {"day": timedelta(days=1), "month": timedelta(days=32), "year": timedelta(days=367)}
"""So far on from the beginning of one, it is another one."""

MOST = 60
"""So many days, months or years are asked for one by one."""


class Dated:
    """Rows as the admin's date hierarchy asks for them.

    Django has the database cut the time of every row down to its month, which on SQLite is a call of Python for each;
    here each month is asked for by its two ends.
    """

    def __init__(self, rows: QuerySet[Any]) -> None:
        self._rows = rows.order_by()
        self._ends: dict[str, Any] = {}

    def aggregate(self, **ends: Any) -> dict[str, Any]:
        """Return the first and the last time, which are asked for twice."""
        self._ends = self._ends or self._rows.aggregate(**ends)
        return self._ends

    def datetimes(self, field: str, kind: Kind) -> list[datetime]:
        """Return the beginnings of the days, months or years that hold any of the rows, in the reader's time zone."""
        ends = self.aggregate(first=Min(field), last=Max(field))
        if ends["first"] is None:
            return []
        begins = list(islice(_begins(timezone.localtime(ends["first"]), ends["last"], kind), MOST + 1))
        if len(begins) > MOST:  # clients tell times that no clock ever had
            return list(self._rows.datetimes(field, kind))
        within = (Q(**{f"{field}__gte": begin, f"{field}__lt": _next(begin, kind)}) for begin in begins)
        counted = self._rows.aggregate(**{f"n{at}": Count("pk", filter=one) for at, one in enumerate(within)})
        return [begin for at, begin in enumerate(begins) if counted[f"n{at}"]]


def _begins(first: datetime, last: datetime, kind: Kind) -> Iterator[datetime]:
    begin = _begin(first, kind)
    while begin <= last:
        yield begin
        begin = _next(begin, kind)


def _begin(moment: datetime, kind: Kind) -> datetime:
    """Return when the day, month or year of a moment began, at midnight there and then."""
    day = 1 if kind != "day" else moment.day
    month = 1 if kind == "year" else moment.month
    return timezone.make_aware(datetime(moment.year, month, day))  # noqa: DTZ001


def _next(begin: datetime, kind: Kind) -> datetime:
    try:
        return _begin(begin.replace(tzinfo=None) + STEP[kind], kind)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


class LongList(ChangeList):
    """A list of many rows."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the page's keys, then read these rows: to sort whole rows, with all they refer to, takes far longer."""
        super().get_results(request)
        keys = list(self.result_list.values_list("pk", flat=True))
        rows = self.queryset.order_by()
        rows.query.clear_where()  # the keys are chosen; asked for both again, SQLite may begin at the wrong end
        found = {row.pk: row for row in rows.filter(pk__in=keys)}
        self.result_list = [found[key] for key in keys if key in found]
        if self.query and not any(name.startswith(f"{self.date_hierarchy}__") for name in self.params):
            self.date_hierarchy = None  # to search all rows twice more only for their dates is not worth it
        self.queryset = Dated(self.queryset)  # of which the page asks nothing but its dates from here on


class LongListAdmin(admin.ModelAdmin):
    """Many rows: they are counted as they are filtered, and not once more as they are not."""

    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LongList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows that hold every word; a name is looked for once in its own table, not once for each row."""
        paths = [path.split("__") for path in self.get_search_fields(request)]
        for word in smart_split(search_term):
            text = unescape_string_literal(word) if word[0] in "\"'" and word[0] == word[-1] else word
            queryset = queryset.filter(_with_text(queryset.model, paths, text))
        return queryset, False


def _with_text(model: type[Model], paths: Sequence[list[str]], text: str) -> Q:
    """Return a condition on rows of a model: one of the columns at the ends of these paths holds the text."""
    found = Q()
    for name, ends in groupby(sorted(paths), key=itemgetter(0)):
        beyond = [path[1:] for path in ends if path[1:]]
        if not beyond:
            found |= Q(**{f"{name}__icontains": text})
            continue
        other: Any = model._meta.get_field(name).related_model
        found |= Q(**{f"{name}__in": QuerySet(other).filter(_with_text(other, beyond, text))})
    return found
