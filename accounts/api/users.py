"""Users and their roles, for admins."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import client_address
from accounts.api.answers import sorted_roles
from accounts.api.fields import EmailField, PasswordField, YesNoFilter
from accounts.models import LANGUAGES, Role, User
from accounts.openapi import describe
from accounts.permissions import IsAdmin, signed_in
from accounts.registration import add_user, change_user
from accounts.sign_in import check_new_password

USER = {
    "id": "0b5f9c1e-5a7d-4f0e-8a55-0a3c9f1d7b11",
    "email": "teacher@example.com",
    "full_name": "Teacher One",
    "language": "",
    "is_active": True,
    "roles": ["reviewer", "teacher"],
    "created": "2026-03-02T09:00:00Z",
    "last_login": None,
}


class UserSerializer(serializers.ModelSerializer):
    """A user as an admin sees them."""

    language = serializers.ChoiceField(choices=LANGUAGES, allow_blank=True, read_only=True)
    roles = serializers.SerializerMethodField()
    created = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = ("id", "email", "full_name", "language", "is_active", "roles", "created", "last_login")
        read_only_fields = fields

    def get_roles(self, user: User) -> list[str]:
        return sorted_roles(user)


class UserInputSerializer(serializers.Serializer):
    """What an admin says about a user."""

    email = EmailField()
    full_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    language = serializers.ChoiceField(
        choices=LANGUAGES, required=False, allow_blank=True, help_text="Empty: as the browser asks."
    )
    is_active = serializers.BooleanField(required=False)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), max_length=len(Role))
    password = PasswordField(required=False, help_text="Without one, nobody can sign in by password.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a password that is easy to guess."""
        if "password" not in attrs:
            return attrs
        known = self.instance or User()
        somebody = User(email=attrs.get("email", known.email), full_name=attrs.get("full_name", known.full_name))
        try:
            check_new_password(attrs["password"], user=somebody, field="password")
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return attrs


class UserFilter(filters.FilterSet):
    """By role, by state, by part of address or name."""

    role = filters.ChoiceFilter(choices=Role.choices, method="with_role", label=_("role"))
    is_active = YesNoFilter(label=_("active"))
    search = filters.CharFilter(method="matching", max_length=200, label=_("part of the address or the name"))

    class Meta:
        model = User
        fields = ("role", "is_active", "search")

    def with_role(self, users: QuerySet[User], _name: str, role: str) -> QuerySet[User]:
        """Keep those who have the role; a superuser counts as admin."""
        in_group = Q(pk__in=User.groups.through.objects.filter(group__name=role).values("user"))
        return users.filter(in_group | Q(is_superuser=True) if role == Role.ADMIN else in_group)

    def matching(self, users: QuerySet[User], _name: str, text: str) -> QuerySet[User]:
        """Keep those whose address or name holds the text."""
        return users.filter(Q(email__icontains=text) | Q(full_name__icontains=text))


class UsersView(generics.ListAPIView):
    """``admin/users``."""

    permission_classes = (IsAdmin,)
    serializer_class = UserSerializer
    filterset_class = UserFilter
    ordering_fields = ("email", "full_name", "is_active", "created", "last_login")
    ordering = ("email", "pk")
    # Named as in the answer, so that one can order by it.
    queryset = User.objects.annotate(created=F("date_joined")).prefetch_related("groups")

    @describe("List users", tag="admin", answer=UserSerializer(many=True), gets=USER)
    def get(self, request: Request) -> Response:
        return self.list(request)

    @describe(
        "Add a user",
        tag="admin",
        request=UserInputSerializer,
        sends={"email": "teacher@example.com", "full_name": "Teacher One", "roles": ["teacher", "reviewer"]},
        answer=UserSerializer,
        gets=USER,
        status=201,
    )
    def post(self, request: Request) -> Response:
        given = UserInputSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = add_user(by=signed_in(request), ip_address=client_address(request), **given.validated_data)
        return Response(UserSerializer(User.objects.get(pk=user.pk)).data, status=201)


class UserView(generics.GenericAPIView):
    """``admin/users/{id}``."""

    permission_classes = (IsAdmin,)
    serializer_class = UserSerializer
    queryset = User.objects.all()

    @describe("Show a user", tag="admin", answer=UserSerializer, gets=USER)
    def get(self, request: Request, pk: str) -> Response:
        return Response(UserSerializer(self.get_object()).data)

    @describe(
        "Change a user",
        tag="admin",
        says="Roles are given as the whole list. Nobody takes the role of admin from themselves or from the last "
        "admin, or switches off their own account (409).",
        request=UserInputSerializer,
        sends={"roles": ["teacher"], "is_active": True},
        answer=UserSerializer,
        gets=USER,
    )
    def patch(self, request: Request, pk: str) -> Response:
        user = self.get_object()
        given = UserInputSerializer(user, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        change_user(user=user, by=signed_in(request), changes=given.validated_data, ip_address=client_address(request))
        return Response(UserSerializer(self.get_object()).data)
