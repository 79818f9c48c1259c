"""The description of the interface is whole: every call says what it takes, answers and refuses, with examples."""

import re

import pytest
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

TAGS = {"service", "accounts", "exams", "sessions", "intake", "monitoring", "submissions", "admin", "reports"}
JSON = "application/json"
ERROR = {"$ref": "#/components/schemas/Error"}


def make_document():
    reset_generator_stats()
    document = SchemaGenerator().get_schema(request=None, public=True)
    said = [*GENERATOR_STATS._error_cache, *GENERATOR_STATS._warn_cache]
    return document, said


DOCUMENT, SAID = make_document()
CALLS = [(path, method, call) for path, methods in DOCUMENT["paths"].items() for method, call in methods.items()]
calls = pytest.mark.parametrize(
    ("path", "method", "call"), [pytest.param(*call, id=f"{call[1]} {call[0]}") for call in CALLS]
)


def test_it_is_made_without_a_complaint():
    assert SAID == []


def test_it_is_openapi_3_1():
    assert DOCUMENT["openapi"] == "3.1.0"
    validate_schema(DOCUMENT)
    assert {tag["name"] for tag in DOCUMENT["tags"]} == TAGS
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_it_describes_more_than_a_few_calls():
    assert len(CALLS) > 60


def test_it_names_every_call_once_and_readably():
    names = [call["operationId"] for _path, _method, call in CALLS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)] == []
    # What the generator adds where two would have the same name.
    assert [name for name in names if re.search(r"_\d$", name)] == []


@calls
def test_it_says_in_a_line_what_a_call_does_and_where_it_belongs(path, method, call):
    assert 3 <= len(call["summary"]) <= 80
    assert not call["summary"].endswith(".")
    assert len(call["tags"]) == 1
    assert set(call["tags"]) <= TAGS
    assert path == "/" or not path.endswith("/")


@calls
def test_it_describes_every_parameter(path, method, call):
    for parameter in call.get("parameters", ()):
        assert parameter["schema"]
        if parameter["in"] == "path":
            assert parameter["schema"].get("format") == "uuid" or parameter["schema"]["type"] != "string"


@calls
def test_it_shows_what_to_send(path, method, call):
    body = call.get("requestBody")
    if body is None:
        return
    assert method in ("post", "put", "patch")
    # A picture or a sound is its own example; forms are shown as JSON where JSON is taken as well.
    shown = {media_type for media_type, content in body["content"].items() if content.get("examples")}
    assert shown or not set(body["content"]) & {JSON, "application/x-www-form-urlencoded"}
    check_examples(body["content"])


@calls
def test_it_shows_what_is_answered(path, method, call):
    answers = {status: answer for status, answer in call["responses"].items() if status < "300"}
    assert answers
    for status, answer in answers.items():
        assert (status == "204") == ("content" not in answer), f"{status} without a body is 204"
        for media_type, content in answer.get("content", {}).items():
            if media_type == JSON:
                assert content.get("examples"), f"no example of {status}"
        check_examples(answer.get("content", {}))


@calls
def test_it_says_what_may_be_refused_in_the_one_shape(path, method, call):
    refused = {status: answer for status, answer in call["responses"].items() if status >= "400"}
    if path.startswith("/api/"):
        assert {"400", "401", "403", "404", "406", "409", "429", "503"} <= set(refused)
        if method in ("post", "put", "patch"):
            assert {"413", "415", "422"} <= set(refused)
    for status, answer in refused.items():
        if (path, status) == ("/health/ready", "503"):
            continue  # the same body as with 200
        assert answer["content"][JSON]["schema"] == ERROR
        assert answer["content"][JSON]["examples"]
        assert answer["description"]
    assert not [status for status in refused if status >= "500" and status != "503"]


def check_examples(content):
    """Compare every JSON example with the schema beside it."""
    for media_type in {JSON} & set(content):
        schema = content[media_type]["schema"] | {"components": DOCUMENT["components"]}
        validator = Draft202012Validator(schema)
        for example in content[media_type].get("examples", {}).values():
            assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(example["value"])] == []
