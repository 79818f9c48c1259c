"""What happens to every request: slashes, sizes, languages, other origins, pages of lists."""

import pytest
from django.contrib.auth import get_user_model
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.tests.client import client_of
from monitoring.tests.factories import make_user
from proctoring.urls import handler404  # noqa: F401  it belongs to the addresses
from proctoring.urls import urlpatterns as own_addresses

pytestmark = pytest.mark.urls(__name__)


class EchoView(APIView):
    permission_classes = ()

    def get(self, request):
        return Response({"language": translation.get_language(), "said": _("English"), "path": request.path})

    def post(self, request):
        return Response(request.data)


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = get_user_model()
        fields = ("email",)


class PeopleView(generics.ListAPIView):
    permission_classes = ()
    serializer_class = PersonSerializer
    queryset = get_user_model().objects.order_by("email")
    ordering_fields = ("email",)


urlpatterns = [path("api/v1/echo", EchoView.as_view()), path("api/v1/people", PeopleView.as_view()), *own_addresses]


# --- addresses and sizes ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", ["/api/v1/echo", "/api/v1/echo/", "/api/v1/echo/?x=1"])
def test_it_takes_addresses_with_and_without_a_slash_at_the_end(address):
    assert Client().get(address).status_code == 200
    assert Client().post(address, {"a": 1}, content_type="application/json").json() == {"a": 1}


@pytest.mark.parametrize("address", ["/api/v1/echo%00", "/api/v1/echo?q=%00", "/api/v1/echo?q=a%00b"])
def test_it_refuses_null_characters_in_an_address(address):
    answer = Client().get(address)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("-1", 400),
        ("1e3", 400),
        ("²", 400),
        ("٣", 400),
        ("+5", 400),
        ("1,2", 400),
        ("9" * 5000, 413),
        ("99999999", 413),
    ],
)
def test_it_refuses_a_length_that_is_none_or_too_large(length, status):
    answer = Client(raise_request_exception=False).generic(
        "POST", "/api/v1/echo", b"{}", content_type="application/json", CONTENT_LENGTH=length
    )
    assert answer.status_code == status
    assert answer.json().keys() == {"type", "code", "detail"}


def test_it_asks_for_the_length_where_a_body_comes_in_chunks():
    answer = Client().post("/api/v1/echo", {}, content_type="application/json", HTTP_TRANSFER_ENCODING="chunked")
    assert (answer.status_code, answer.json()["code"]) == (400, "length_required")


def test_it_refuses_a_body_over_the_limit(settings):
    settings.MAX_REQUEST_BYTES = 10
    answer = Client().post("/api/v1/echo", {"a": "x" * 10}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("debug", [False, True])
def test_it_does_not_answer_to_a_foreign_name(settings, debug):
    settings.DEBUG = debug
    answer = Client(raise_request_exception=False).get("/api/v1/echo", HTTP_HOST="evil.example.org")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_host")


def test_it_leaves_the_rest_of_the_site_alone():
    assert Client().get("/health", CONTENT_LENGTH="nonsense").status_code == 200
    assert Client().get("/admin/login")["Location"].startswith("/admin/login/")


def speaker_of(language):
    user = make_user()
    user.language = language
    user.save()
    return user


# --- languages --------------------------------------------------------------------------------------------------------
def test_it_speaks_the_language_that_is_asked_for_and_forgets_it():
    client = Client()
    assert client.get("/api/v1/echo", HTTP_ACCEPT_LANGUAGE="bn-BD,bn;q=0.9,en;q=0.5").json()["language"] == "bn"
    assert client.get("/api/v1/echo").json()["language"] == "en"
    assert client.get("/api/v1/echo", HTTP_ACCEPT_LANGUAGE="fr").json()["language"] == "en"


@pytest.mark.django_db
def test_it_speaks_the_language_that_a_user_chose_and_forgets_it_for_the_next():
    bangla, silent = speaker_of("bn"), make_user()
    assert client_of(bangla).get("/api/v1/echo", HTTP_ACCEPT_LANGUAGE="en").json()["language"] == "bn"
    assert Client().get("/api/v1/echo").json()["language"] == "en"
    assert client_of(silent, language="bn").get("/api/v1/echo").json()["language"] == "bn"
    assert client_of(silent).get("/api/v1/echo").json()["language"] == "en"
    answer = client_of(bangla).get("/api/v1/echo")
    assert answer["Content-Language"] == "bn"


@pytest.mark.django_db
def test_it_speaks_the_language_of_who_is_signed_in_to_the_admin():
    client = Client()
    client.force_login(speaker_of("bn"), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/echo", HTTP_ACCEPT_LANGUAGE="en").json()["language"] == "bn"
    page = client.get("/admin/", HTTP_ACCEPT_LANGUAGE="en")
    assert page["Content-Language"] == "bn"
    assert b'lang="bn"' in page.content
    assert Client().get("/admin/login/")["Content-Language"] == "en"


async def ask_in_turn():
    client = AsyncClient()
    answers = [await client.get("/api/v1/echo", headers={"accept-language": name}) for name in ("bn", "en", "bn", "")]
    return [answer.json()["language"] for answer in answers]


def test_it_forgets_a_language_between_requests_of_one_event_loop():
    import asyncio

    assert asyncio.run(ask_in_turn()) == ["bn", "en", "bn", "en"]


# --- pages on other origins -------------------------------------------------------------------------------------------
def preflight(origin):
    return Client().options(
        "/api/v1/echo",
        HTTP_ORIGIN=origin,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization,content-type",
    )


def test_it_lets_pages_of_allowed_origins_call_and_read(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://exams.example.org"]
    answer = preflight("https://exams.example.org")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "https://exams.example.org"
    assert "authorization" in answer["Access-Control-Allow-Headers"]
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer  # the admin's cookie is nothing to them
    for address in ("/api/v1/echo", "/api/v1/nothing", "/api/v1/echo?q=%00", "/health"):
        refused_or_not = Client().get(address, HTTP_ORIGIN="https://exams.example.org")
        assert refused_or_not["Access-Control-Allow-Origin"] == "https://exams.example.org"
        assert "Retry-After" in refused_or_not["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "http://exams.example.org", "https://exams.example.org.evil", "null"]
)
def test_it_tells_pages_of_other_origins_nothing(settings, origin):
    settings.CORS_ALLOWED_ORIGINS = ["https://exams.example.org"]
    for answer in (preflight(origin), Client().get("/api/v1/echo", HTTP_ORIGIN=origin)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_it_keeps_the_admin_to_its_own_origin(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://exams.example.org"]
    answer = Client().get("/admin/login/", HTTP_ORIGIN="https://exams.example.org")
    assert "Access-Control-Allow-Origin" not in answer


# --- pages of lists ---------------------------------------------------------------------------------------------------
@pytest.fixture
def people(db):
    for number in range(5):
        make_user(email=f"person{number}@example.com")


def test_it_gives_lists_in_pages(people, django_assert_num_queries):
    client = APIClient()
    with django_assert_num_queries(2):
        first = client.get("/api/v1/people?page_size=2").json()
    assert first.keys() == {"count", "next", "previous", "results"}
    assert (first["count"], first["previous"]) == (5, None)
    assert [row["email"][:7] for row in first["results"]] == ["person0", "person1"]
    last = client.get("/api/v1/people?page_size=2&page=3").json()
    assert (len(last["results"]), last["next"]) == (1, None)
    assert client.get(first["next"]).json()["results"][0]["email"].startswith("person2")
    backwards = client.get("/api/v1/people?ordering=-email&page_size=1").json()["results"]
    assert backwards[0]["email"].startswith("person4")


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 5000, "1.5", "٣x", "9223372036854775808"])
def test_it_knows_no_such_page(people, page):
    answer = APIClient(raise_request_exception=False).get("/api/v1/people", {"page": page})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_gives_no_more_than_two_hundred_at_once(db, settings):
    get_user_model().objects.bulk_create(get_user_model()(email=f"p{number}@x.org") for number in range(201))
    client = APIClient()
    assert len(client.get("/api/v1/people?page_size=5000").json()["results"]) == 200
    for nonsense in ("x", "0", "-3", "9" * 5000):
        size = len(client.get("/api/v1/people", {"page_size": nonsense}).json()["results"])
        assert size == 50
