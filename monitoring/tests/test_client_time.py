"""The server tells its time with every answer, so that a page without a socket has something to go by."""

import time
from email.utils import parsedate_to_datetime

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import override_settings

from proctoring.logs import request_context

ORIGIN = "https://desk.example.org"


@pytest.mark.parametrize("address", ["/health", "/api/v1/sessions", "/no/such/page"])
@pytest.mark.django_db
def test_every_answer_tells_the_time(address):
    told = parsedate_to_datetime(Client().get(address)["Date"])
    assert abs(told.timestamp() - time.time()) < 5


@override_settings(CORS_ALLOWED_ORIGINS=[ORIGIN])
@pytest.mark.django_db
def test_a_page_of_another_host_may_read_it():
    answer = Client(headers={"Origin": ORIGIN}).get("/api/v1/sessions")
    assert "Date" in answer["Access-Control-Expose-Headers"].split(", ")


def test_a_time_that_is_there_already_stays():
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    handle = request_context(lambda _request: HttpResponse(headers={"Date": date}))
    assert handle(RequestFactory().get("/"))["Date"] == date
