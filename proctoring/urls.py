"""All addresses."""

from django.contrib import admin
from django.urls import path
from django.utils.translation import gettext_lazy as _

from proctoring import health

admin.site.site_header = _("Proctoring")
admin.site.site_title = _("Proctoring")
admin.site.index_title = _("Reviewer console")

urlpatterns = [
    path("", health.about, name="about"),
    path("health", health.alive, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("admin/", admin.site.urls),
]
