"""Registering, signing in and out with a password, exchanging tokens."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from rest_framework import serializers
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from accounts.addresses import client_address
from accounts.api.answers import SIGNED_IN, TOKENS, SignedInSerializer, TokensSerializer, answer_tokens
from accounts.api.fields import EmailField, PasswordField, PictureField, plain_input
from accounts.consents import OutdatedText
from accounts.lockout import note_sign_in
from accounts.models import LANGUAGES, ConsentText, User
from accounts.openapi import describe
from accounts.registration import register_candidate
from accounts.sign_in import check_new_password, sign_in
from accounts.throttling import Allowance
from accounts.tokens import issue_tokens, rotate_tokens, take_back_token

JSON: Any = tuple(api_settings.DEFAULT_PARSER_CLASSES)
FORM = "application/x-www-form-urlencoded"


def plain_request(request: Request) -> HttpRequest:
    """Return Django's own request, on which failed sign-ins are counted and marked."""
    return request._request  # noqa: SLF001  the REST framework has no other name for it


class PublicView(APIView):
    """A call for anyone; whatever is said about who calls is not even looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class GivenConsentSerializer(serializers.Serializer):
    """One text that is agreed to."""

    purpose = serializers.ChoiceField(choices=ConsentText.Purpose.choices)
    version = serializers.IntegerField(min_value=1, max_value=2_147_483_647)


class RegisterSerializer(serializers.Serializer):
    """What people say about themselves; a role is not among it."""

    email = EmailField()
    password = PasswordField()
    full_name = serializers.CharField(max_length=200)
    language = serializers.ChoiceField(
        choices=LANGUAGES, required=False, allow_blank=True, help_text="Empty: as the browser asks."
    )
    external_id = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="For example the matriculation number."
    )
    consents = GivenConsentSerializer(  # type: ignore[call-arg]  # the list's option
        many=True, required=False, max_length=10, help_text="In a form: the same list as JSON text."
    )
    face = PictureField(required=False, help_text="For signing in by face; needs the consent of that purpose.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a password that is easy to guess."""
        somebody = User(email=attrs["email"], full_name=attrs["full_name"])
        try:
            check_new_password(attrs["password"], user=somebody, field="password")
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return attrs


class RegisterView(PublicView):
    """``auth/register``."""

    parser_classes = (*JSON, MultiPartParser, FormParser)
    throttle_scope = "register"

    @describe(
        "Register as a candidate",
        tag="accounts",
        says="Makes a candidate, whatever role is asked for, and signs them in. A face needs consent to its use. Who "
        "was told of 20 addresses or numbers that are taken waits for the next hour (429).",
        request={"application/json": RegisterSerializer, "multipart/form-data": RegisterSerializer},
        sends={
            "email": "candidate@example.com",
            "password": "correct-horse-battery",
            "full_name": "Candidate One",
            "language": "bn",
            "external_id": "2026-0417",
            "consents": [{"purpose": "proctoring", "version": 3}],
        },
        answer=SignedInSerializer,
        gets=SIGNED_IN,
        status=201,
        public=True,
    )
    def post(self, request: Request) -> Response:
        given = RegisterSerializer(data=plain_input(request.data, structured=frozenset({"consents"})))
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        consents = [(consent["purpose"], consent["version"]) for consent in fields.pop("consents", ())]
        refusals = Allowance("register_refused", client_address(request))
        refusals.check()
        try:
            user = register_candidate(consents=consents, ip_address=client_address(request), **fields)
        except (ValidationError, OutdatedText):  # which tell whether there is such an account
            refusals.note()
            raise
        note_sign_in(request=plain_request(request), user=user)
        return answer_tokens(issue_tokens(user=user), user=user, status=201)


class PasswordSignInSerializer(serializers.Serializer):
    """Address and password."""

    # Not an EmailField: an impossible address is answered like an unknown one.
    email = serializers.CharField(max_length=254)
    password = PasswordField()


class OAuth2SignInSerializer(serializers.Serializer):
    """The form that OAuth2 clients send."""

    username = serializers.CharField(max_length=254, help_text="The e-mail address.")
    password = PasswordField()
    grant_type = serializers.ChoiceField(choices=["password"], required=False, allow_blank=True)
    scope = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="Not used.")


class SignInView(PublicView):
    """``auth/login``."""

    parser_classes = (*JSON, FormParser)
    throttle_scope = "sign_in"

    @describe(
        "Sign in with a password",
        tag="accounts",
        says="As JSON, or as the form of an OAuth2 client. After five failures from one address the account stays "
        "closed to that address for a while (429, `locked_out`).",
        request={"application/json": PasswordSignInSerializer, FORM: OAuth2SignInSerializer},
        sends={"email": "candidate@example.com", "password": "correct-horse-battery"},
        answer=SignedInSerializer,
        gets=SIGNED_IN,
        public=True,
    )
    def post(self, request: Request) -> Response:
        is_form = isinstance(request.data, QueryDict)
        given = (OAuth2SignInSerializer if is_form else PasswordSignInSerializer)(data=request.data)
        given.is_valid(raise_exception=True)
        email = given.validated_data["username" if is_form else "email"]
        user, tokens = sign_in(request=plain_request(request), email=email, password=given.validated_data["password"])
        return answer_tokens(tokens, user=user)


class RefreshSerializer(serializers.Serializer):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4096)


class RefreshView(PublicView):
    """``auth/refresh``."""

    @describe(
        "Exchange a refresh token for new tokens",
        tag="accounts",
        says="Each refresh token works once. A switched-off account or a changed password ends it.",
        request=RefreshSerializer,
        sends={"refresh": TOKENS["refresh"]},
        answer=TokensSerializer,
        gets=TOKENS,
        public=True,
    )
    def post(self, request: Request) -> Response:
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return answer_tokens(rotate_tokens(refresh=given.validated_data["refresh"]))


class SignOutView(PublicView):
    """``auth/logout``."""

    @describe(
        "Sign out",
        tag="accounts",
        says="Takes the refresh token back; doing it again changes nothing. The access token lives to its end.",
        request=RefreshSerializer,
        sends={"refresh": TOKENS["refresh"]},
        status=204,
        public=True,
    )
    def post(self, request: Request) -> Response:
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        take_back_token(refresh=given.validated_data["refresh"])
        return Response(status=204)
