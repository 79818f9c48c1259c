"""Who may look at submissions in the admin."""

from django.db import migrations

from accounts.roles import Role, grant

SEE = ("view_codesubmission",)


class Migration(migrations.Migration):
    dependencies = [("exams", "0003_accommodations_and_submissions"), ("accounts", "0002_roles")]
    operations = [grant("exams", {Role.REVIEWER: SEE, Role.TEACHER: SEE, Role.ADMIN: SEE})]
