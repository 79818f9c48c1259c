"""A small, encrypted picture of who took the system check."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("exams", "0006_days_to_appeal"),
    ]

    operations = [
        migrations.CreateModel(
            name="StartPicture",
            fields=[
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="start_picture",
                        serialize=False,
                        to="exams.examsession",
                        verbose_name="session",
                    ),
                ),
                ("picture", models.BinaryField(verbose_name="picture, encrypted")),
                (
                    "taken_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name="taken"),
                ),
            ],
            options={
                "verbose_name": "picture of the system check",
                "verbose_name_plural": "pictures of the system check",
            },
        ),
    ]
