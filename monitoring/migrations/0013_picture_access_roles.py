"""Who may read the list of looks at pictures: admins all of it, teachers that of their own exams."""

from django.db import migrations

from accounts.roles import Role, grant

SEE = ("view_pictureaccess",)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0012_picture_access"), ("accounts", "0002_roles")]
    operations = [grant("monitoring", {Role.TEACHER: SEE, Role.ADMIN: SEE})]
