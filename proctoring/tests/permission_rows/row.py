"""What one row of the permission table says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Model

from accounts.models import User
from proctoring.tests.world import ROLES, Place, World


@dataclass(frozen=True)
class Cell:
    """One call of a row: who calls, and at whose place."""

    world: World
    side: str
    role: str

    @property
    def place(self) -> Place:
        """Whose things the call is about."""
        return self.world.own if self.side == "own" else self.world.others

    @property
    def user(self) -> User | None:
        """Who calls."""
        return self.world.users[self.role]

    @property
    def caller(self) -> UUID | None:
        """The key of whoever calls."""
        return None if self.user is None else self.user.pk

    def now(self, name: str) -> Any:
        """Return a thing of the place as the database now holds it."""
        row: Model = getattr(self.place, name)
        return type(row)._default_manager.get(pk=row.pk)


@dataclass(frozen=True)
class Row:
    """One call and the statuses it should answer, in the order of ``ROLES``, on one's own place and on the other one.

    ``at``: parameter of the address → attribute of the place. ``given``: arranges what the call needs beyond the
    world, and says whether it did. ``sends``: the body, or what makes it for a cell.
    ``holds``: what is true of the database after the call and was not before. ``lists``: the ids that a list shows of a
    place, and ``key`` where in a result they stand; ``summed_up`` where the candidate gets counts instead. ``tells``:
    what numbers over everything must say, given the places that the caller sees.
    """

    call: str
    own: str
    others: str
    _: KW_ONLY
    at: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    given: Callable[[Cell], bool] | None = None
    sends: Any = None
    as_form: bool = False
    holds: Callable[[Cell], bool] | None = None
    lists: Callable[[Place], set[Any]] | None = None
    key: Callable[[Any], Any] = itemgetter("id")
    summed_up: bool = False
    tells: Callable[[Any, Sequence[Place]], bool] | None = None

    @property
    def method(self) -> str:
        """The method in capitals."""
        return self.call.partition(" ")[0]

    @property
    def template(self) -> str:
        """The address, with the names of its parameters."""
        return self.call.partition(" ")[2]

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.method == "GET"

    @cached_property
    def expected(self) -> Mapping[tuple[str, str], int]:
        """Side and role → status."""
        sides = {"own": self.own, "others": self.others}
        return {
            (side, role): int(status)
            for side, statuses in sides.items()
            for role, status in zip(ROLES, statuses.split(), strict=True)
        }

    def address(self, place: Place) -> str:
        """Return the address of this call about things of the place."""
        filled = re.sub(r"{(\w+)}", lambda match: str(getattr(place, self.at[match[1]]).pk), self.template)
        return filled + self.query

    def body(self, cell: Cell) -> Any:
        """Return what this cell sends."""
        return self.sends(cell) if callable(self.sends) else self.sends


def keys(*things: Any) -> set[str]:
    """Return the ids of things as answers name them."""
    return {str(thing.pk) for thing in things}
