"""Evidence and identity pictures for those who may see them, through addresses that expire; the list of who looked."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import Role
from exams.admin_filters import ExamFilter
from exams.models import ExamSession
from exams.selectors import managed_exams
from monitoring.admin_parts import WatchedAdmin, session_link
from monitoring.admin_views import staff_user
from monitoring.identity_pictures import Which, picture_of
from monitoring.models import Evidence
from monitoring.picture_access import note_evidence, note_look
from monitoring.picture_links import PARAMETER, address_of, identity_address_of, is_identity_sealed, is_sealed
from monitoring.picture_models import PictureAccess
from monitoring.selectors import visible_sessions
from monitoring.store import SOUND_FORMS

SOUND_TYPES = frozenset(media_type for _ending, media_type in SOUND_FORMS.values())
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
SERVED_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"}) | SOUND_TYPES


@require_safe
def evidence_picture(request: HttpRequest, evidence_id: uuid.UUID) -> HttpResponseBase:
    """Serve picture or sound to those who may see its session; others learn nothing, not even that it exists.

    Without a seal the address only leads on to the one that works for this person and a few minutes; a seal that is
    somebody else's, or has expired, opens nothing.
    """
    user = staff_user(request)
    if not user.has_perm("monitoring.view_evidence"):
        raise Http404
    related = ("activity__session__candidate",)
    found = Evidence.objects.filter(activity__session__in=visible_sessions(user)).select_related(*related)
    evidence = get_object_or_404(found, pk=evidence_id)
    if evidence.media_type not in SERVED_TYPES:
        raise Http404
    seal = request.GET.get(PARAMETER)
    if seal is None:
        return _not_kept(HttpResponseRedirect(address_of(evidence, user)))
    return _serve(request, evidence) if is_sealed(evidence, user, seal) else _expired()


@require_safe
def identity_picture(request: HttpRequest, session_id: uuid.UUID, which: str) -> HttpResponseBase:
    """Serve the enrolled face, that of the system check or the newest picture, by the rules of ``evidence_picture``."""
    user = staff_user(request)
    if which not in list(Which) or not user.has_perm("monitoring.view_evidence"):
        raise Http404
    asked = Which(which)
    related = ("candidate", "policy", "monitor")
    found = visible_sessions(user).select_related(*related).defer("monitor__state", "monitor__memory")
    session = get_object_or_404(found, pk=session_id)
    seal = request.GET.get(PARAMETER)
    if seal is None:
        return _not_kept(HttpResponseRedirect(identity_address_of(session, asked, user)))
    if not is_identity_sealed(session, asked, user, seal):
        return _expired()
    jpeg = picture_of(session, asked)
    if jpeg is None and asked is Which.NOW:
        return _not_kept(HttpResponse(status=204))  # nothing is wrong: the next one may be there in a moment
    if jpeg is None:
        raise Http404(_("The picture is no longer there."))
    return _serve_identity(request, session, asked, jpeg)


def identity_urls(site: admin.AdminSite) -> list[URLPattern]:
    """Return the addresses of identity pictures, for the admin of sessions."""
    # Not the admin's never_cache: the view says itself what a browser may keep.
    view = site.admin_view(identity_picture, cacheable=True)
    return [path("<uuid:session_id>/identity/<str:which>/", view, name="exams_examsession_identity")]


def _serve_identity(request: HttpRequest, session: ExamSession, which: Which, jpeg: bytes) -> HttpResponseBase:
    # Of now there is a new one every second: a look at the running session is one line, not one for each.
    sha256 = "" if which is Which.NOW else hashlib.sha256(jpeg).hexdigest()
    if request.method == "GET":
        note_look(request, session, what=PictureAccess.What.IDENTITY, sha256=sha256)
    return _not_kept(HttpResponse(jpeg, content_type="image/jpeg", headers=SAFE))


def _expired() -> HttpResponse:
    says = _("This link to a picture has expired or was made for somebody else. Open its session again.")
    return _not_kept(HttpResponse(says, status=410, content_type="text/plain; charset=utf-8"))


def _serve(request: HttpRequest, evidence: Evidence) -> HttpResponseBase:
    etag = f'"{evidence.sha256}"'
    response = get_conditional_response(request, etag=etag) or _file_of(evidence)
    # A browser may keep the picture but has to ask each time, so that what was deleted here is gone there too.
    response["Cache-Control"], response["ETag"] = "private, no-cache", etag
    if request.method == "GET":  # that nothing changed is a look as well: the browser shows what it kept
        note_evidence(request, evidence.activity.session, evidence)
    return response


def _file_of(evidence: Evidence) -> HttpResponseBase:
    try:
        file = evidence.file.open("rb")
    except FileNotFoundError as error:
        raise Http404(_("The picture is no longer there.")) from error
    return FileResponse(file, content_type=evidence.media_type, headers=SAFE)


def _not_kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response


@admin.register(PictureAccess)
class PictureAccessAdmin(WatchedAdmin):
    """Who looked at whose picture, newest first: for teachers that of their own exams, for admins all of it.

    Rows of erased sessions, which belong to no exam any more, are for admins alone.
    """

    list_display = ("at", "user", "whose", "what", "way", "session_link", "ip_address")
    list_display_links = ("at",)
    list_select_related = ("user", "subject", "session__candidate__user", "session__exam")
    list_filter = ("what", "way", ("session__exam", ExamFilter), "at")
    search_fields = ("user__email", "user__full_name", "subject__email", "subject__full_name", "ip_address", "sha256")
    search_help_text = gettext_lazy("Name or address of who looked or of the candidate, network address, SHA-256")
    date_hierarchy = "at"
    fields = ("at", "user", "whose", "what", "way", "session_link", "evidence_id", "sha256", "ip_address")
    readonly_fields = ("whose", "session_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Show admins all, and teachers what concerns the exams they run: not those which they merely review."""
        rows, user = super().get_queryset(request), staff_user(request)
        return rows if user.has_role(Role.ADMIN) else rows.filter(session__exam__in=managed_exams(user).values("pk"))

    @admin.display(description=gettext_lazy("whose"), ordering="subject__email")
    def whose(self, look: Any) -> str:
        return "–" if look.subject is None else str(look.subject)

    @admin.display(description=gettext_lazy("session"))
    def session_link(self, look: Any) -> SafeString:
        return mark_safe("–") if look.session is None else session_link(look.session)
