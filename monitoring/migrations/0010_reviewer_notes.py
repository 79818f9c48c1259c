"""Reviewers' notes, verdicts that are taken back, and which models examined a session."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models

from accounts.roles import Role, grant

SEE, WRITE = ("view_reviewernote",), ("add_reviewernote",)
PERMISSIONS = dict.fromkeys((Role.REVIEWER, Role.TEACHER, Role.ADMIN), SEE + WRITE)


def hand_on_what_was_taken_back(apps, schema_editor):
    """Before this version a verdict could not be taken back; nearest to open is to be looked at by somebody else."""
    apps.get_model("monitoring", "ReviewDecision").objects.filter(verdict="withdrawn").update(verdict="escalated")


class Migration(migrations.Migration):

    dependencies = [
        ("exams", "0005_mail_when_high"),
        ("monitoring", "0009_sound_memory"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReviewerNote",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("at_s", models.FloatField(verbose_name="seconds into the session")),
                ("text", models.CharField(max_length=1000, verbose_name="text")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created")),
            ],
            options={
                "verbose_name": "reviewer's note",
                "verbose_name_plural": "reviewers' notes",
                "ordering": ("at_s", "created_at"),
            },
        ),
        migrations.RemoveConstraint(
            model_name="reviewdecision",
            name="decision_verdict_known",
        ),
        migrations.AddField(
            model_name="assessment",
            name="detectors",
            field=models.JSONField(
                default=dict,
                help_text="By sense, the model that last examined it where the work was done.",
                verbose_name="detectors",
            ),
        ),
        migrations.AlterField(
            model_name="reviewdecision",
            name="verdict",
            field=models.CharField(
                choices=[
                    ("confirmed", "confirmed"),
                    ("dismissed", "dismissed"),
                    ("escalated", "escalated"),
                    ("withdrawn", "taken back"),
                    ("clear", "clear"),
                    ("concern", "concern"),
                    ("violation", "violation"),
                ],
                max_length=10,
                verbose_name="verdict",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, hand_on_what_was_taken_back),
        migrations.AddConstraint(
            model_name="reviewdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("activity__isnull", False),
                        ("verdict__in", ["confirmed", "dismissed", "escalated", "withdrawn"]),
                    ),
                    models.Q(
                        ("activity__isnull", True), ("verdict__in", ["clear", "concern", "violation", "escalated"])
                    ),
                    _connector="OR",
                ),
                name="decision_verdict_known",
            ),
        ),
        migrations.AddField(
            model_name="reviewernote",
            name="activity",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="notes",
                to="monitoring.suspiciousactivity",
                verbose_name="activity",
            ),
        ),
        migrations.AddField(
            model_name="reviewernote",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL, verbose_name="author"
            ),
        ),
        migrations.AddField(
            model_name="reviewernote",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notes",
                to="exams.examsession",
                verbose_name="session",
            ),
        ),
        migrations.AddIndex(
            model_name="reviewernote",
            index=models.Index(fields=["session", "at_s"], name="note_by_time"),
        ),
        migrations.AddConstraint(
            model_name="reviewernote",
            constraint=models.CheckConstraint(condition=models.Q(("text", ""), _negated=True), name="note_has_a_text"),
        ),
        migrations.AddConstraint(
            model_name="reviewernote",
            constraint=models.CheckConstraint(condition=models.Q(("at_s__gte", 0)), name="note_not_before_the_start"),
        ),
        grant("monitoring", PERMISSIONS),
    ]
