"""Users and candidates in the admin."""

from __future__ import annotations

from typing import Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.addresses import client_address
from accounts.admin_lists import LongListAdmin
from accounts.audit import record_audit
from accounts.consents import publish_text
from accounts.errors import Refused
from accounts.face import remove_face
from accounts.models import AuditEvent, Candidate, Consent, ConsentText, FaceEnrolment, Role, User
from accounts.permissions import signed_in
from accounts.services import set_active, set_roles

# Used-up tokens are for the machine only.
admin.site.unregister([BlacklistedToken, OutstandingToken])
# Both are switched off, so their lists would always be empty.
admin.site.unregister([AccessLog, AccessFailureLog])


@admin.register(User)
class UserAdmin(BaseUserAdmin):
    """Users by e-mail address; roles are their groups, and what they may open follows from these."""

    ordering = ("email",)
    list_display = ("email", "full_name", "role_names", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("groups", "is_staff", "is_active", "date_joined", "last_login")
    search_fields = ("email", "full_name")
    search_help_text = _("E-mail address or name")
    date_hierarchy = "date_joined"
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "language")}),
        (_("Roles"), {"fields": ("is_active", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),)
    filter_horizontal = ("groups",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, which is broad, over the whole width."""
        return super().changelist_view(request, {"is_nav_sidebar_enabled": False, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the users with their roles."""
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related("groups")

    @admin.display(description=_("roles"))
    def role_names(self, user: User) -> str:
        """Name the roles in words."""
        return ", ".join(str(Role(name).label) for name in sorted(user.roles)) or "–"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, and say what a service refused."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        """Store the user; the account is switched on and off by its service."""
        active = obj.is_active
        if change:
            obj.is_active = form.initial.get("is_active", active)
        super().save_model(request, obj, form, change)
        by, address = signed_in(request), client_address(request)
        if change:
            set_active(user=obj, active=active, by=by, ip_address=address)
        else:
            record_audit(action="user_added", actor=by, subject=obj, ip_address=address)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        """Store what belongs to the user; roles are given and taken by their service."""
        if "groups" in form.changed_data:
            names = {group.name for group in form.cleaned_data["groups"]}
            by, address = signed_in(request), client_address(request)
            set_roles(user=form.instance, roles=names & set(Role.values), by=by, ip_address=address)
        super().save_related(request, form, formsets, change)


@admin.register(Candidate)
class CandidateAdmin(LongListAdmin):
    """Candidates; searched for by exams and sessions."""

    list_display = ("user", "email", "external_id", "is_active", "created_at")
    list_select_related = ("user",)
    list_filter = ("user__is_active", "user__language", "created_at")
    search_fields = ("user__email", "user__full_name", "external_id")
    search_help_text = _("Name, e-mail address or number")
    date_hierarchy = "created_at"
    autocomplete_fields = ("user",)

    @admin.display(description=_("e-mail address"), ordering="user__email")
    def email(self, candidate: Candidate) -> str:
        return candidate.user.email

    @admin.display(description=_("active"), ordering="user__is_active", boolean=True)
    def is_active(self, candidate: Candidate) -> bool:
        return candidate.user.is_active


class RecordAdmin(LongListAdmin):
    """Rows that are written by the program and only read here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ConsentText)
class ConsentTextAdmin(RecordAdmin):
    """What people are asked to agree to; a published version stays, and a new one takes its place."""

    list_display = ("purpose", "version", "title", "in_exams", "keeps_picture", "published_at")
    list_filter = ("purpose", "in_exams", "keeps_picture", "published_at")
    search_fields = ("title", "text", "title_bn", "text_bn")
    date_hierarchy = "published_at"
    fields = ("purpose", "title", "text", "title_bn", "text_bn", "in_exams", "keeps_picture")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show version and date once there are any."""
        return self.fields if obj is None else ("version", "published_at", *self.fields)

    def save_model(self, request: HttpRequest, obj: ConsentText, form: ModelForm, change: bool) -> None:
        """Publish the text as the next version of its purpose."""
        publish_text(text=obj, by=signed_in(request), ip_address=client_address(request))


@admin.register(Consent)
class ConsentAdmin(RecordAdmin):
    """Who agreed to what, and took it back."""

    list_display = ("user", "text", "given_at", "withdrawn_at")
    list_select_related = ("user", "text")
    list_filter = ("text__purpose", "given_at", "withdrawn_at")
    search_fields = ("user__email", "user__full_name")
    date_hierarchy = "given_at"


@admin.register(FaceEnrolment)
class FaceEnrolmentAdmin(RecordAdmin):
    """Whose face is enrolled, since when and how well; what is kept of the face itself is never shown."""

    list_display = ("user", "enrolled_at", "model")
    list_select_related = ("user",)
    list_filter = ("model", "enrolled_at")
    search_fields = ("user__email", "user__full_name")
    date_hierarchy = "enrolled_at"
    fields = ("user", "enrolled_at", "model", "quality")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let admins take a face away."""
        return Role.ADMIN in signed_in(request).roles

    def delete_model(self, request: HttpRequest, obj: FaceEnrolment) -> None:
        """Take the face away, for the record."""
        remove_face(user=obj.user, actor=signed_in(request), ip_address=client_address(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FaceEnrolment]) -> None:
        """Take the faces away, each for the record."""
        for enrolment in queryset.select_related("user"):
            self.delete_model(request, enrolment)


@admin.register(AuditEvent)
class AuditEventAdmin(RecordAdmin):
    """Who did what to whom."""

    list_display = ("at", "action", "outcome", "actor", "subject", "ip_address")
    list_select_related = ("actor", "subject")
    list_filter = ("action", "outcome", "at")
    search_fields = (
        "actor__email",
        "actor__full_name",
        "subject__email",
        "subject__full_name",
        "ip_address",
        "action",
        "outcome",
    )
    search_help_text = _("Name or e-mail address of who did it or whom it was about, network address, action")
    date_hierarchy = "at"
