"""Roles are Django groups; each app's migration gives them its permissions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import migrations, models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The four groups; a candidate never has access to the admin, the others do."""

    CANDIDATE = "candidate", _("Candidate")
    REVIEWER = "reviewer", _("Reviewer")
    TEACHER = "teacher", _("Teacher")
    ADMIN = "admin", _("Admin")


STAFF_ROLES = frozenset({Role.REVIEWER, Role.TEACHER, Role.ADMIN})


def grant(app_label: str, permissions: Mapping[str, Sequence[str]]) -> migrations.RunPython:
    """Return the migration step that gives roles the permissions of one app, and takes them back when reversed.

    ``permissions``: role → codenames such as ``view_exam``. Permissions normally appear only after all migrations
    have run, so the step makes those of its app first.
    """

    def give(apps: Any, schema_editor: Any) -> None:
        _make_permissions(apps, app_label, schema_editor.connection.alias)
        _change(apps, app_label, permissions, lambda group, found: group.permissions.add(*found))

    def take(apps: Any, schema_editor: Any) -> None:
        _change(apps, app_label, permissions, lambda group, found: group.permissions.remove(*found))

    return migrations.RunPython(give, take)


def _make_permissions(apps: Any, app_label: str, using: str) -> None:
    from django.contrib.auth.management import create_permissions

    config = apps.get_app_config(app_label)
    # The historical app registry knows no models module; without one create_permissions does nothing.
    config.models_module = True
    create_permissions(config, verbosity=0, using=using, apps=apps)


def _change(
    apps: Any, app_label: str, permissions: Mapping[str, Sequence[str]], act: Callable[[Any, list[Any]], None]
) -> None:
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for role, codenames in permissions.items():
        group, _created = group_model.objects.get_or_create(name=str(role))
        found = list(permission_model.objects.filter(content_type__app_label=app_label, codename__in=codenames))
        act(group, found)
