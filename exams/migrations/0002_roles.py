"""What the roles may do with exams and sessions."""

from django.db import migrations

from accounts.roles import Role, grant

AUTHORED = ("exam", "problem", "proctoringpolicy", "examassignment")
VIEWED = ("view_exam", "view_problem", "view_proctoringpolicy", "view_examassignment", "view_examsession")
STEPS = ("view_sessiontransition",)
AUTHOR = tuple(f"{verb}_{model}" for model in AUTHORED for verb in ("add", "change", "delete"))

PERMISSIONS = {
    Role.REVIEWER: (*VIEWED, *STEPS),
    Role.TEACHER: (*VIEWED, *STEPS, *AUTHOR),
    Role.ADMIN: (*VIEWED, *STEPS, *AUTHOR),
}


class Migration(migrations.Migration):
    dependencies = [("exams", "0001_initial"), ("accounts", "0002_roles")]
    operations = [grant("exams", PERMISSIONS)]
