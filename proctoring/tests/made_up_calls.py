"""Made-up calls of every operation of the interface, naming real things often enough to get somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import schemathesis
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st
from rest_framework.utils.encoders import JSONEncoder
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
from schemathesis import Case, GenerationMode
from schemathesis.config import GenerationConfig, OutputConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.transport.serialization import Binary

from accounts.models import User
from proctoring.tests.permission_rows.faces import PICTURE
from proctoring.tests.permission_rows.intake import picture, silence
from proctoring.tests.permission_rows.row import Cell, Row
from proctoring.tests.world import PASSWORD, STATES, Place

MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
# Who calls is told by the caller's token, never made up.
GENERATION = GenerationConfig(with_security_parameters=False)
SOUNDS = ["audio/flac", "audio/webm", "audio/ogg", "audio/mpeg", "audio/L16", "application/octet-stream"]


def load_interface() -> Any:
    """Return the described interface, to be called in this process."""
    media_type, nonsense = schemathesis.openapi.media_type, st.binary(max_size=100)
    media_type("image/jpeg", st.just(picture()) | nonsense, aliases=["image/png", "image/webp"])
    media_type("audio/wav", st.just(silence()) | nonsense, aliases=SOUNDS)
    # Of all years a calendar knows, few are near those in which exams are sat.
    times = st.datetimes(datetime(1999, 12, 1), datetime(2200, 1, 31), timezones=st.just(UTC))  # noqa: DTZ001  bounds
    schemathesis.openapi.format("date-time", (times | st.datetimes(timezones=st.just(UTC))).map(datetime.isoformat))
    document = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), cls=JSONEncoder))
    _close_answers(document)
    output = OutputConfig()
    output.sanitization.enabled = output.truncation.enabled = False  # a failure shows the whole call
    projects = ProjectsConfig(default=ProjectConfig(generation=GENERATION))
    interface = schemathesis.openapi.from_dict(document, config=SchemathesisConfig(output=output, projects=projects))
    interface.app = get_wsgi_application()
    return interface


def _close_answers(document: Any) -> None:
    """Have the description allow no fields but those it names, so that an answer with more of them is found."""
    for name, component in document["components"]["schemas"].items():
        if not name.endswith("Request") and "properties" in component:
            component.setdefault("additionalProperties", False)


def boundary_cases(operation: Any) -> Iterator[Case]:
    """Give calls that lie on either side of every bound, type, choice and requirement, the same each time."""
    yield from operation.schema.iter_coverage_cases(operation, generation_modes=MODES, generation_config=GENERATION)


def random_cases(operation: Any) -> st.SearchStrategy[Case]:
    """Return a strategy for calls that conform to the description, and for such that do not."""
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in MODES))


def token_of(user: User | None) -> dict[str, str]:
    """Return the headers that say who calls."""
    return {} if user is None else {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


@dataclass(frozen=True)
class Target:
    """What a call is about: things of a place, where ``state`` picks the sitting, or else what the call is meant for.

    ``in_address`` and ``in_values`` say where real things go in the place of made-up ones.
    """

    side: str = "own"
    state: str = ""
    in_address: bool = True
    in_values: bool = True

    def aim(self, case: Case, row: Row, cell: Cell) -> None:
        """Put real things into the case."""
        place = cell.place
        if self.in_address:
            case.path_parameters.update(self._address(row, place))
        if self.in_values:
            values = _values(place, cell.user or place.candidate_user)
            values["file"] = Binary(silence() if "audio" in case.path else picture())
            case.query.update(_known(case.query, values))
            if isinstance(case.body, dict):
                case.body.update(_known(case.body, values))

    def _address(self, row: Row, place: Place) -> dict[str, str]:
        names = dict(row.at)
        if self.state and names.get("id") in STATES:
            names["id"] = self.state
        return {name: str(getattr(place, thing).pk) for name, thing in names.items()}


targets = st.builds(
    Target,
    side=st.sampled_from(["own", "own", "own", "others"]),
    state=st.sampled_from(["", "", *STATES]),
    in_address=st.sampled_from([True, True, True, False]),
    in_values=st.booleans(),
)


def _known(made_up: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return real values for those names that have any; what is not even of their type is left to be refused."""
    return {name: real for name, real in values.items() if isinstance(made_up.get(name), type(real))}


def _values(place: Place, user: User) -> dict[str, Any]:
    return {
        "exam": str(place.draft.pk),
        "session": str(place.active.pk),
        "candidate": str(place.candidate.pk),
        "problem": str(place.problem.pk),
        "owner": str(place.teacher.pk),
        "user": str(place.newcomer.pk),
        "email": user.email,
        "username": user.email,
        "password": PASSWORD,
        "current": PASSWORD,
        "refresh": str(RefreshToken.for_user(user)),
        "image": PICTURE,
        "face": PICTURE,
        "picture": PICTURE,
        "page": 1,
        "seq": 1,
        "captured_at": timezone.now().isoformat(),
    }
