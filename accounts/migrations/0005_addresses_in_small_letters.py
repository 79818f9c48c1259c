"""Addresses are stored in small letters, as they are compared; so a plain unique index keeps them apart everywhere."""

from django.db import migrations


def lower(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects
    for pk, email in users.values_list("pk", "email").iterator():
        if email != email.lower():
            users.filter(pk=pk).update(email=email.lower())


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_consent_texts")]
    operations = [migrations.RunPython(lower, migrations.RunPython.noop)]
