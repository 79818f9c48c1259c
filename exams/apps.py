"""The app of exams and sessions."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExamsConfig(AppConfig):
    """Exams, problems, policies, sessions."""

    name = "exams"
    verbose_name = _("Exams")
