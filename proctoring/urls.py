"""All addresses."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as _

from proctoring import errors, health, pages

admin.site.site_header = _("Proctoring")
admin.site.site_title = _("Proctoring")
admin.site.index_title = _("Reviewer console")
admin.site.site_url = None  # what stands at "/" is for programs

handler400 = "proctoring.errors.bad_request"
handler403 = "proctoring.errors.permission_denied"
handler404 = "proctoring.errors.page_not_found"
handler500 = "proctoring.errors.server_error"

api = [
    path("", include("accounts.urls")),
    path("", include("exams.urls")),
    path("", include("monitoring.urls")),
    path("", include("reports.urls")),
]
urlpatterns = [
    path("", health.AboutView.as_view(), name="about"),
    path("health", health.AliveView.as_view(), name="health"),
    path("health/ready", health.ReadyView.as_view(), name="health-ready"),
    path("schema", pages.SchemaView.as_view(), name="schema"),
    path("schema/ws", pages.SocketSchemaView.as_view(), name="schema-ws"),
    path("docs", pages.SwaggerView.as_view(), name="docs"),
    path("redoc", pages.RedocView.as_view(), name="redoc"),
    path("api/v1/", include(api)),
    re_path("^api(/|$)", errors.no_such_call),
    path("admin/", admin.site.urls),
    path("", include("exams.page_urls")),
]
