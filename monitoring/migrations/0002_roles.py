"""What the roles may do with what was watched: look at everything, decide, change nothing."""

from django.db import migrations

from accounts.roles import Role, grant

WATCHED = (
    "assessment",
    "evidence",
    "monitoringlog",
    "observation",
    "reviewdecision",
    "sessionmonitor",
    "suspiciousactivity",
)
REVIEW = (*(f"view_{model}" for model in WATCHED), "add_reviewdecision")

PERMISSIONS = {Role.REVIEWER: REVIEW, Role.TEACHER: REVIEW, Role.ADMIN: REVIEW}


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_initial"), ("exams", "0002_roles")]
    operations = [grant("monitoring", PERMISSIONS)]
