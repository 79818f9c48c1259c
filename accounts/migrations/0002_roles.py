"""The four roles and what they may do here; each later app adds its own permissions."""

from django.db import migrations

from accounts.roles import Role, grant

PERMISSIONS = {
    Role.CANDIDATE: (),
    Role.REVIEWER: ("view_candidate",),
    Role.TEACHER: ("view_candidate", "add_candidate", "view_user"),
    Role.ADMIN: (
        *("view_candidate", "add_candidate", "change_candidate"),
        *("view_user", "add_user", "change_user"),
    ),
}


def remove_roles(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=[str(role) for role in PERMISSIONS]).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [
        migrations.RunPython(migrations.RunPython.noop, remove_roles),
        grant("accounts", PERMISSIONS),
    ]
