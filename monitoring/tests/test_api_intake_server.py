"""A real server with its own worker: calls that wait for the analysis, and calls that come at the same moment."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitoring.tests.test_server import Server, wait_until

PREPARE = """
import django; django.setup()
from django.core.management import call_command
from rest_framework_simplejwt.tokens import AccessToken
from monitoring.tests.factories import make_session, two_men_jpeg
call_command("migrate", verbosity=0)
session = make_session()
print(session.pk, AccessToken.for_user(session.candidate.user), two_men_jpeg().hex())
"""

pytestmark = pytest.mark.slow


class Client:
    """A candidate at a server of their own."""

    def __init__(self, server):
        self.server = server
        self.session, self.token, picture = server.python(PREPARE).split()
        self.picture = bytes.fromhex(picture)

    def post(self, what, data, media_type="application/json"):
        """Return status and answer."""
        address = f"http://127.0.0.1:{self.server.port}/api/v1/sessions/{self.session}/{what}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media_type}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        client = Client(server)
        server.start()
        wait_until(lambda: server.health()["checks"]["workers"]["ok"])
        yield client
    finally:
        server.remove()


def test_it_examines_a_picture_while_the_call_waits(client):
    def ask():
        return client.post("frames?wait=1&seq=1", client.picture, "image/jpeg")

    wait_until(lambda: ask()[0] == 200)  # models are built for the first picture, which may take longer than a call
    status, seen = ask()
    assert (status, seen["seq"], seen["events"], seen["activities"]) == (200, 1, ["MULTIPLE_FACES"], [])
    assert client.server.ask("SELECT seq, usable FROM monitoring_observation WHERE seq = 1") == [(1, 1)]


def test_it_takes_an_event_once_though_it_comes_many_times_at_the_same_moment(client):
    body = json.dumps([{"event_type": "PASTE", "seq": seq} for seq in range(5)]).encode()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("events", body), range(8)))
    assert [status for status, _answer in answers] == [201] * 8
    assert sum(answer["accepted"] for _status, answer in answers) == 5
    assert sum(answer["repeated"] for _status, answer in answers) == 35
    assert client.server.ask("SELECT count(*) FROM monitoring_monitoringlog WHERE event_type = 'PASTE'") == [(5,)]


def test_it_numbers_pictures_apart_though_they_come_at_the_same_moment(client):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("frames", client.picture, "image/jpeg"), range(16)))
    assert [status for status, _answer in answers] == [202] * 16
    assert len({answer["seq"] for _status, answer in answers}) == 16
    examined = "SELECT count(*) FROM monitoring_observation WHERE seq > 1"
    wait_until(lambda: client.server.ask(examined) == [(16,)])
