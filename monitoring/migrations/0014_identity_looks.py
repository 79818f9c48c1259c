"""The log of who looked at pictures of people tells identity pictures from evidence."""

from django.conf import settings
from django.db import migrations, models


def tell_as_pictures(apps, schema_editor):
    """Let no look be lost on the way back, where this kind is not known."""
    apps.get_model("monitoring", "PictureAccess").objects.filter(what="identity").update(what="picture")


class Migration(migrations.Migration):

    dependencies = [
        ("exams", "0007_start_picture"),
        ("monitoring", "0013_picture_access_roles"),
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
                ],
                max_length=8,
                verbose_name="what",
            ),
        ),
        migrations.AddConstraint(
            model_name="pictureaccess",
            constraint=models.CheckConstraint(
                condition=models.Q(("what__in", ["picture", "sound", "report", "identity"])), name="access_what_known"
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, tell_as_pictures),
    ]
