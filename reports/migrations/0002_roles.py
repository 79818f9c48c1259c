"""What the roles may do with reports."""

from django.db import migrations

from accounts.roles import Role, grant

REPORT = ("view_sessionreport", "add_sessionreport")
PERMISSIONS = {Role.REVIEWER: REPORT, Role.TEACHER: REPORT, Role.ADMIN: REPORT}


class Migration(migrations.Migration):
    dependencies = [("reports", "0001_initial"), ("monitoring", "0002_roles")]
    operations = [grant("reports", PERMISSIONS)]
