"""The description of the sockets: complete, true to the messages that are really sent, and open to anyone."""

import json

import jsonschema
import pytest
from django.test import Client

from monitoring import asyncapi, wire

DOCUMENT = asyncapi.document("1")
MESSAGES = DOCUMENT["components"]["messages"]


def of_wire(base):
    return {kind.__name__ for kind in vars(wire).values() if isinstance(kind, type) and issubclass(kind, base)} - {
        base.__name__
    }


def test_it_is_given_to_anyone():
    answer = Client().get("/schema/ws", HTTP_AUTHORIZATION="Bearer nonsense")
    assert answer.status_code == 200
    assert answer.json()["asyncapi"] == "3.0.0"
    assert set(answer.json()["channels"]) == {"candidate", "review"}


def test_it_describes_every_message_there_is():
    assert set(MESSAGES) == of_wire(wire.FromServer) | of_wire(wire.FromClient) | {"Binary"}
    codes = [code for name, code in vars(wire.Close).items() if name.isupper()]
    assert [code for code in codes if f"- {code}: " not in DOCUMENT["info"]["description"]] == []


@pytest.mark.parametrize("name", sorted(set(MESSAGES) - {"Binary"}))
def test_its_examples_are_what_it_says_of_them(name):
    message = MESSAGES[name]
    jsonschema.Draft202012Validator.check_schema(message["payload"])
    for example in message["examples"]:
        jsonschema.validate(example["payload"], message["payload"], jsonschema.Draft202012Validator)
        assert example["payload"]["type"] == message["name"]


@pytest.mark.parametrize("example", asyncapi.FROM_CANDIDATE, ids=lambda example: example.type)
def test_what_a_client_is_told_to_send_is_understood(example):
    assert wire.read_text(wire.text_of(example)) == example


def test_every_reference_leads_somewhere():
    references = [part.split('"')[0] for part in json.dumps(DOCUMENT).split('"$ref": "#/')[1:]]
    assert len(references) > 30
    for reference in references:
        found = DOCUMENT
        for name in reference.split("/"):
            found = found[name]
        assert found
