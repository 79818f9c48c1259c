"""The Postman collection: every call of the interface, in an order in which a fresh server answers them all.

What is sent comes from the OpenAPI description; who calls, in which order and what is kept from an answer is told by
``proctoring.postman_story``. The format is Postman Collection v2.1.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drf_spectacular.generators import SchemaGenerator

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "docs/postman_collection.json"
FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
NAMESPACE = uuid.UUID("6f1b7c62-2f0e-5c3a-9d55-0c1f0b6f9a11")
JSON = "application/json"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the story.

    ``call`` is the operation's id; ``who`` the role whose token is sent, empty for none; ``path`` and ``query`` give
    parameters as text that may hold ``{{variables}}``; ``body`` replaces the description's example, ``files`` (part →
    file beside the collection) and ``form`` send other forms than JSON; ``expect`` are the statuses that are right;
    ``keep`` names variables and where in the answer they stand, such as ``socket.ticket`` or ``results.0.id``.
    """

    call: str
    who: str = ""
    expect: tuple[int, ...] = (200,)
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    files: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the description."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    example: Any
    has_body: bool


def read_calls() -> dict[str, Call]:
    """Return every described operation by its id."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    calls = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            calls[operation["operationId"]] = Call(
                id=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                description=operation["description"],
                example=_example(content),
                has_body=bool(content),
            )
    return calls


def _example(content: Mapping[str, Any]) -> Any:
    for example in content.get(JSON, {}).get("examples", {}).values():
        return example["value"]
    return None


def build_collection(chapters: Mapping[str, Sequence[Step]], variables: Mapping[str, str], sockets: str) -> Json:
    """Return the collection; raises ``LookupError`` where story and description differ."""
    calls = read_calls()
    told = {step.call for steps in chapters.values() for step in steps}
    if told != set(calls):
        raise LookupError(
            f"Not in the story: {sorted(set(calls) - told)}; not in the interface: {sorted(told - set(calls))}"
        )
    folders = [
        {"name": chapter, "item": [_item(step, calls[step.call], chapter, n) for n, step in enumerate(steps)]}
        for chapter, steps in chapters.items()
    ]
    return {
        "info": {
            "_postman_id": str(NAMESPACE),
            "name": "Proctoring",
            "description": "Every call in an order that works from a fresh server. Set base_url, admin_email and "
            "admin_password; all else is made on the way.",
            "schema": FORMAT,
        },
        "item": [*folders, {"name": "Sockets", "description": sockets, "item": []}],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }


def _item(step: Step, call: Call, chapter: str, number: int) -> Json:
    name = step.name or call.summary
    return {
        "id": str(uuid.uuid5(NAMESPACE, f"{chapter}/{number}/{call.id}")),
        "name": name,
        "event": list(_events(step)),
        "request": {
            "method": call.method,
            "description": call.description,
            "header": _headers(step, call),
            "url": _url(step, call),
            **_body(step, call),
        },
        "response": [],
    }


def _headers(step: Step, call: Call) -> list[Json]:
    headers = [{"key": "Accept", "value": "*/*"}]
    if step.who:
        headers.append({"key": "Authorization", "value": f"Bearer {{{{{step.who}_token}}}}"})
    if call.has_body and not step.files and not step.form:
        headers.append({"key": "Content-Type", "value": JSON})
    return headers


def _url(step: Step, call: Call) -> Json:
    path = call.path
    for name, value in step.path.items():
        path = path.replace(f"{{{name}}}", value)
    query = "&".join(f"{key}={value}" for key, value in step.query.items())
    return {
        "raw": f"{{{{base_url}}}}{path}{'?' + query if query else ''}",
        "host": ["{{base_url}}"],
        "path": path.strip("/").split("/") if path != "/" else [""],
        "query": [{"key": key, "value": value} for key, value in step.query.items()],
    }


def _body(step: Step, call: Call) -> Json:
    if step.files:
        parts = [{"key": key, "type": "file", "src": src} for key, src in step.files.items()]
        texts = [{"key": key, "type": "text", "value": value} for key, value in step.form.items()]
        return {"body": {"mode": "formdata", "formdata": [*parts, *texts]}}
    if step.form:
        return {
            "body": {
                "mode": "urlencoded",
                "urlencoded": [{"key": key, "value": value} for key, value in step.form.items()],
            }
        }
    if not call.has_body:
        return {}
    body = call.example if step.body is None else step.body
    raw = json.dumps(body, ensure_ascii=False, indent=2)
    return {"body": {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}}


def _events(step: Step) -> Iterator[Json]:
    if step.before:
        yield {"listen": "prerequest", "script": {"type": "text/javascript", "exec": list(step.before)}}
    expected = ", ".join(map(str, step.expect))
    lines = [
        f'pm.test("answers {expected}", () => pm.expect(pm.response.code).to.be.oneOf([{expected}]));',
    ]
    for variable, place in step.keep.items():
        path = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in place.split("."))
        lines += [
            f'pm.test("gives {variable}", () => {{',
            f"  const value = pm.response.json(){path};",
            "  pm.expect(value).to.be.ok;",
            f'  pm.collectionVariables.set("{variable}", value);',
            "});",
        ]
    yield {"listen": "test", "script": {"type": "text/javascript", "exec": lines}}


def to_text(collection: Json) -> str:
    """Return the file's text; the same interface gives the same bytes."""
    return json.dumps(collection, ensure_ascii=False, indent=1) + "\n"
