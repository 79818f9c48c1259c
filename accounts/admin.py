"""Users and candidates in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.utils.translation import gettext_lazy as _

from accounts.models import Candidate, User


@admin.register(User)
class UserAdmin(BaseUserAdmin):
    """Users by e-mail address; roles are their groups."""

    ordering = ("email",)
    list_display = ("email", "full_name", "is_staff", "is_active", "last_login")
    list_filter = ("groups", "is_staff", "is_active")
    search_fields = ("email", "full_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "language")}),
        (_("Roles"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),)
    filter_horizontal = ("groups",)


@admin.register(Candidate)
class CandidateAdmin(admin.ModelAdmin):
    """Candidates; searched for by exams and sessions."""

    list_display = ("user", "email", "external_id", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__full_name", "external_id")
    autocomplete_fields = ("user",)

    @admin.display(description=_("e-mail address"), ordering="user__email")
    def email(self, candidate: Candidate) -> str:
        return candidate.user.email
