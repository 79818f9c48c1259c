"""Describing a call once, for the schema, the documentation pages and the Postman collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

F = TypeVar("F", bound=Callable[..., Any])
Body = Mapping[str, Any] | Sequence[Any]


def describe(  # noqa: PLR0913  every part of a description is named
    summary: str,
    *,
    tag: str,
    answer: Any = None,
    status: int = 200,
    also: Sequence[int] = (),
    request: Any = None,
    sends: Body | None = None,
    gets: Body | None = None,
    says: str = "",
    parameters: Sequence[OpenApiParameter] = (),
    public: bool = False,
    operation_id: str | None = None,
) -> Callable[[F], F]:
    """Describe one call: what is sent (``request``, example ``sends``) and what is answered (``answer``, ``gets``).

    ``also`` names further statuses with the same answer, ``tag`` is the area of the interface, ``says`` a longer
    description, ``public`` a call without sign-in. A list's ``gets`` is the example of one row. Error answers are the
    same everywhere and added by the schema.
    """
    examples = []
    if sends is not None:
        examples.append(OpenApiExample("request", value=sends, request_only=True))
    if gets is not None:
        codes = [str(code) for code in (status, *also)]
        examples.append(OpenApiExample("answer", value=gets, response_only=True, status_codes=codes))
    return extend_schema(
        summary=summary,
        description=says or summary,
        tags=[tag],
        request=request,
        responses=dict.fromkeys((status, *also), answer),
        parameters=list(parameters),
        examples=examples,
        operation_id=operation_id,
        auth=[] if public else None,
    )


class ErrorSerializer(serializers.Serializer):
    """The one shape of every error."""

    type = serializers.CharField(help_text="What sort of error, for example invalid, forbidden or conflict.")
    code = serializers.CharField(help_text="The word for machines.")
    detail = serializers.CharField(help_text="The sentence for people, in their language.")
    fields = serializers.DictField(  # type: ignore[assignment]  # a word of the class, too
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="For input that cannot be used: dotted name of the field → what is wrong with it.",
    )
