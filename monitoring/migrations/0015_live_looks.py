"""Looks at live pictures are in the picture access log, too; going back they count as looks at pictures."""

from django.conf import settings
from django.db import migrations, models


def as_pictures(apps, schema_editor):
    """Call them what could be said before."""
    apps.get_model("monitoring", "PictureAccess").objects.filter(what="live").update(what="picture")


class Migration(migrations.Migration):

    dependencies = [
        ("exams", "0007_start_picture"),
        ("monitoring", "0014_identity_looks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="pictureaccess",
            name="access_what_known",
        ),
        migrations.AlterField(
            model_name="pictureaccess",
            name="what",
            field=models.CharField(
                choices=[
                    ("picture", "picture"),
                    ("sound", "sound"),
                    ("report", "PDF report"),
                    ("identity", "identity picture"),
                    ("live", "live picture"),
                ],
                max_length=8,
                verbose_name="what",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, as_pictures),
        migrations.AddConstraint(
            model_name="pictureaccess",
            constraint=models.CheckConstraint(
                condition=models.Q(("what__in", ["picture", "sound", "report", "identity", "live"])),
                name="access_what_known",
            ),
        ),
    ]
