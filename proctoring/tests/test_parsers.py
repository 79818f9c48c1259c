"""JSON that no column could keep is refused at the door, in the one shape."""

import io
import json

import pytest
from rest_framework.exceptions import ParseError

from proctoring.exceptions import TooLarge
from proctoring.parsers import MAX_DEPTH, MAX_VALUES, StrictJSONParser


def parse(raw):
    return StrictJSONParser().parse(io.BytesIO(raw if isinstance(raw, bytes) else raw.encode()))


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "text",
        None,
        {"a": [1, 2.5, True, None, {"b": "বাংলা 😀 \u2028"}]},
        {"largest": 2**63 - 1, "least": -(2**63) + 1, "float": 1e308},
    ],
)
def test_it_reads_what_is_json(value):
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False)) == value


def test_it_reads_json_with_a_byte_order_mark():
    assert parse('\ufeff{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "{'a': 1}",
        '{"a": 1,}',
        "NaN",
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": -1e999}',
        '{"a": 9223372036854775808}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "9" * 4000 + "}",
        '{"a": "\\u0000"}',
        '{"a\\u0000": 1}',
        '["\\ud800"]',
        '{"\\udc00": 1}',
        '{"a": "\\ud83d"}',
        '"tab\tinside"',
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        b'{"a": "\xff\xfe"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
    ],
)
def test_it_refuses_what_no_column_could_keep(raw):
    with pytest.raises(ParseError):
        parse(raw)


def test_it_takes_nesting_up_to_the_limit():
    parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_it_refuses_more_than_is_taken_at_once(settings):
    settings.MAX_REQUEST_BYTES = 100
    parse('"' + "x" * 98 + '"')
    with pytest.raises(TooLarge):
        parse('"' + "x" * 99 + '"')


def test_it_refuses_more_values_than_anybody_needs():
    parse("[" + "0," * (MAX_VALUES - 2) + "0]")
    for raw in ("[" + "0," * MAX_VALUES + "0]", "[" + "[0]," * MAX_VALUES + "0]"):
        with pytest.raises(TooLarge):
            parse(raw)
