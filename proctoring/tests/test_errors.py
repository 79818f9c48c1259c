"""One shape for every error, whatever raised it, and never a page or a reason from inside."""

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import OperationalError
from django.http import Http404
from django.test import Client
from django.urls import path
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import exceptions, serializers
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import AccessToken

from accounts.errors import Refused
from accounts.models import User
from accounts.tests.client import client_of
from exams.policy import PolicyError
from monitoring.frame_store import StoreUnavailable
from monitoring.tests.factories import make_exam, make_session, make_user
from proctoring.exceptions import Conflict
from proctoring.parsers import StrictJSONParser
from proctoring.urls import handler400, handler403, handler404, handler500  # noqa: F401  they belong to the addresses
from proctoring.urls import urlpatterns as own_addresses

pytestmark = pytest.mark.urls(__name__)


class ItemSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=3)
    counts = serializers.ListField(child=serializers.IntegerField(), required=False)
    inner = serializers.DictField(child=serializers.IntegerField(), required=False)

    def validate(self, attrs):
        if attrs["name"] == "no":
            raise serializers.ValidationError("not this one")
        return attrs


class BatchSerializer(serializers.Serializer):
    items = ItemSerializer(many=True)


class BatchView(APIView):
    permission_classes = ()
    parser_classes = (StrictJSONParser, FormParser, MultiPartParser)

    def post(self, request):
        batch = BatchSerializer(data=request.data)
        batch.is_valid(raise_exception=True)
        return Response(batch.data)


class SignedInView(APIView):
    def get(self, request):
        return Response({})

    post = get


def delete_owner(_request=None):
    make_exam().owner.delete()


def delete_exam(_request=None):
    make_session().exam.delete()


RAISED = {
    "refused": Refused("The exam is over.", code="exam_over"),
    "refused-status": Refused("Too often.", code="too_often", status=429),
    "policy": PolicyError("weights must be numbers"),
    "django-fields": ValidationError({"title": ["too long"], "__all__": ["no"]}),
    "django-plain": ValidationError("just no"),
    "too-big": RequestDataTooBig("inside"),
    "suspicious": SuspiciousOperation("inside"),
    "busy": OperationalError("deadlock; password=hunter2"),
    "store-away": StoreUnavailable("hunter2"),
    "redis-away": RedisConnectionError("hunter2"),
    "broker-away": BrokerError("hunter2"),
    "missing": Http404("inside"),
    "denied": PermissionDenied("inside"),
    "conflict": Conflict("Somebody else was quicker."),
    "throttled": exceptions.Throttled(wait=20),
    "mistake": RuntimeError("password=hunter2"),
}


class RaisingView(APIView):
    permission_classes = ()

    def get(self, request, name):
        deeds = {"protected-owner": delete_owner, "protected-exam": delete_exam}
        if name in deeds:
            deeds[name]()
        raise RAISED[name]


def broken(_request):
    raise RuntimeError("password=hunter2")


def strange(_request):
    raise SuspiciousOperation("inside")


def forbidden(_request):
    raise PermissionDenied("inside")


urlpatterns = [
    path("api/v1/raise/<str:name>", RaisingView.as_view()),
    path("api/v1/batch", BatchView.as_view()),
    path("api/v1/signed-in", SignedInView.as_view()),
    *(
        path(f"{prefix}{view.__name__}", view)
        for prefix in ("api/v1/", "admin/", "service/")
        for view in (broken, strange, forbidden)
    ),
    *own_addresses,
]


def answer_of(name, **settings):
    client = APIClient(raise_request_exception=False)
    return client.get(f"/api/v1/raise/{name}")


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("refused", 409, {"type": "conflict", "code": "exam_over", "detail": "The exam is over."}),
        ("refused-status", 429, {"type": "throttled", "code": "too_often", "detail": "Too often."}),
        ("missing", 404, {"type": "not_found", "code": "not_found", "detail": "Not found."}),
        ("conflict", 409, {"type": "conflict", "code": "conflict", "detail": "Somebody else was quicker."}),
        (
            "denied",
            403,
            {
                "type": "forbidden",
                "code": "permission_denied",
                "detail": "You do not have permission to perform this action.",
            },
        ),
        (
            "too-big",
            413,
            {"type": "too_large", "code": "too_large", "detail": "This is larger than what is taken at once."},
        ),
        (
            "suspicious",
            400,
            {"type": "invalid", "code": "parse_error", "detail": "This request cannot be understood."},
        ),
        (
            "mistake",
            500,
            {
                "type": "server_error",
                "code": "server_error",
                "detail": "Something went wrong here; it has been written down.",
            },
        ),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_it_answers_every_error_in_the_one_shape(settings, name, status, body, debug):
    settings.DEBUG = debug
    answer = answer_of(name)
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("policy", {"settings": ["weights must be numbers"]}),
        ("django-fields", {"title": ["too long"], "form": ["no"]}),
        ("django-plain", {"form": ["just no"]}),
    ],
)
def test_it_names_the_fields_of_what_services_and_models_refuse(name, fields):
    answer = answer_of(name)
    assert answer.status_code == 400
    assert answer.json() == {
        "type": "invalid",
        "code": "invalid",
        "detail": "Some of what was sent cannot be used.",
        "fields": fields,
    }


def test_it_gives_every_nested_field_its_dotted_name():
    items = [{"name": "ok"}, {"name": "long", "counts": [1, "x"], "inner": {"a": "y"}}, {}, {"name": "no"}, 5]
    answer = APIClient().post("/api/v1/batch", {"items": items})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {
        "items.1.name",
        "items.1.counts.1",
        "items.1.inner.a",
        "items.2.name",
        "items.3",
        "items.4",
    }
    assert answer.json()["fields"]["items.3"] == ["not this one"]
    assert APIClient().post("/api/v1/batch", {"items": 5}).json()["fields"].keys() == {"items"}
    for body in ("[]", "5", '"text"', "null"):
        answer = APIClient().post("/api/v1/batch", body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["fields"].keys() & {"form", "items"}


def test_it_says_how_long_to_wait():
    answer = answer_of("throttled")
    assert (answer.status_code, answer["Retry-After"]) == (429, "20")
    assert answer.json()["code"] == "throttled"


@pytest.mark.parametrize("debug", [False, True])
def test_it_hides_what_went_wrong_inside(settings, caplog, debug):
    settings.DEBUG = debug
    for name in ("mistake", "busy"):
        answer = answer_of(name)
        assert b"hunter2" not in answer.content
        assert "hunter2" in caplog.text
        caplog.clear()


@pytest.mark.parametrize(
    ("name", "code"),
    [("busy", "busy"), *((name, "storage_unavailable") for name in ("store-away", "redis-away", "broker-away"))],
)
def test_it_asks_to_try_again_when_database_or_storage_could_not_answer(name, code):
    answer = answer_of(name)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == code
    assert b"hunter2" not in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["protected-owner", "protected-exam"])
def test_it_does_not_delete_what_others_rest_on(name):
    answer = answer_of(name)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert User.objects.exists()


@pytest.mark.django_db
def test_it_says_what_is_wrong_with_a_token():
    client = APIClient(HTTP_AUTHORIZATION="Bearer nonsense")
    answer = client.get("/api/v1/signed-in")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert answer.json().keys() == {"type", "code", "detail"}
    assert answer.json()["code"] == "token_not_valid"
    nobody = APIClient().get("/api/v1/signed-in")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
    user = make_user()
    signed_in = client_of(user)
    assert signed_in.get("/api/v1/signed-in").status_code == 200
    user.is_active = False
    user.save()
    assert signed_in.get("/api/v1/signed-in").status_code == 401
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-token.lifetime)
    old = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/signed-in")
    assert (old.status_code, old.json()["type"]) == (401, "unauthenticated")


@pytest.mark.django_db
def test_it_takes_the_session_of_the_admin_only_with_its_csrf_token():
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/signed-in").status_code == 200
    answer = client.post("/api/v1/signed-in", {})
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"
    assert answer.json()["detail"].startswith("CSRF")
    client.get("/admin/login/?next=/admin/")
    client.get("/admin/password_change/")
    token = client.cookies["csrftoken"].value
    assert client.post("/api/v1/signed-in", {}, HTTP_X_CSRFTOKEN=token).status_code == 200


@pytest.mark.django_db
def test_it_says_that_a_method_a_type_or_an_answer_is_not_offered():
    client = client_of(make_user())
    for answer, status, code in (
        (client.put("/api/v1/signed-in", {}), 405, "method_not_allowed"),
        (client.post("/api/v1/batch", "<a/>", content_type="text/xml"), 415, "unsupported_media_type"),
        (client.get("/api/v1/signed-in", HTTP_ACCEPT="text/html"), 406, "not_acceptable"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer["Content-Type"] == "application/json"


def test_it_refuses_forms_with_too_many_or_too_broken_parts(settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    client = APIClient(raise_request_exception=False)
    form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary="
    many = client.post("/api/v1/batch", "&".join("a=1" for _ in range(9)), content_type=form)
    broken_parts = client.post("/api/v1/batch", b"--x\r\n", content_type=parts)
    assert [answer.status_code for answer in (many, broken_parts)] == [400, 400]
    assert many.json()["type"] == broken_parts.json()["type"] == "invalid"


@pytest.mark.parametrize("debug", [False, True])
def test_it_answers_for_an_unknown_address_of_the_interface(settings, debug):
    settings.DEBUG = debug
    for address in ("/api/v1/nothing", "/api/", "/api", "/api/v2/exams", "/api/v1/nothing/"):
        answer = Client().get(address, HTTP_ACCEPT="text/html")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
        assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(("name", "status"), [("broken", 500), ("strange", 400), ("forbidden", 403)])
def test_it_answers_programs_in_the_one_shape_and_people_with_a_page(name, status):
    client = Client(raise_request_exception=False)
    for address in (f"/api/v1/{name}", f"/service/{name}"):
        answer = client.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        assert answer.json().keys() == {"type", "code", "detail"}
        assert b"hunter2" not in answer.content
    for answer in (client.get(f"/admin/{name}"), client.get(f"/service/{name}", HTTP_ACCEPT="text/html,*/*")):
        assert answer.status_code == status
        assert answer["Content-Type"].startswith("text/html")
        assert b"hunter2" not in answer.content


@pytest.mark.django_db
def test_it_answers_for_an_unknown_page_of_the_admin_with_a_page():
    client = Client()
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get("/admin/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")
    assert Client().get("/nothing").json()["code"] == "not_found"
