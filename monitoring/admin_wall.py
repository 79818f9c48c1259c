"""The live wall in the console: the sessions of one exam that are sat right now, and what can be done about them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from exams.models import OPEN_STATUSES, Exam, ExamSession
from exams.selectors import visible_exams
from monitoring import glimpses
from monitoring.admin_views import staff_user
from monitoring.picture_access import note_live_looks
from monitoring.wall import may_look, wall_text
from monitoring.wall_texts import wall_texts

MOST_PICTURES = 40
"""So many pictures go out in one answer; which are wanted first the page says by their order."""

MOST_ASKED = 500
LONGEST_QUESTION = 64 * 1024


def wall_urls(site: admin.AdminSite) -> list[URLPattern]:
    """Return the addresses of the wall, for the admin whose pages lie beside it."""
    return [
        path("wall/", site.admin_view(choose_wall), name="monitoring_wall"),
        path("wall/<uuid:exam_id>/", site.admin_view(show_wall), name="monitoring_wall_exam"),
        path("wall/<uuid:exam_id>/rows/", site.admin_view(wall_rows), name="monitoring_wall_rows"),
        path("wall/<uuid:exam_id>/glimpses/", site.admin_view(wall_glimpses), name="monitoring_wall_glimpses"),
    ]


@require_safe
def choose_wall(request: HttpRequest) -> HttpResponse:
    """Show the exams that are sat right now, each with a way to its wall; where it is one alone, lead to its wall."""
    user, is_open = staff_user(request), Q(sessions__status__in=OPEN_STATUSES)
    sat = visible_exams(user).annotate(live=Count("sessions", filter=is_open)).filter(live__gt=0)
    exams = list(sat.order_by("-live", "code"))
    if len(exams) == 1 and may_look(user.pk, exams[0].pk):
        return HttpResponseRedirect(reverse("admin:monitoring_wall_exam", args=[exams[0].pk]))
    context = {
        **admin.site.each_context(request),
        "title": _("Live wall"),
        "exams": exams,
        "is_nav_sidebar_enabled": False,
    }
    return TemplateResponse(request, "admin/monitoring/walls.html", context)


@require_safe
def show_wall(request: HttpRequest, exam_id: uuid.UUID) -> HttpResponse:
    """Show the wall of an exam; its rows come by the socket, or where there is none by asking again and again."""
    exam = _exam_to_watch(request, exam_id)
    context = {
        **admin.site.each_context(request),
        "title": _("Live wall"),
        "exam": exam,
        "wall": _addresses(exam),
        "texts": wall_texts(),
        "is_nav_sidebar_enabled": False,  # the wall needs the whole width
    }
    return TemplateResponse(request, "admin/monitoring/wall.html", context)


@require_safe
def wall_rows(request: HttpRequest, exam_id: uuid.UUID) -> HttpResponse:
    """Answer with the message that the socket begins with, for a page whose socket is gone."""
    exam = _exam_to_watch(request, exam_id)
    answer = HttpResponse(wall_text(exam.pk, translation.get_language() or ""), content_type="application/json")
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
def wall_glimpses(request: HttpRequest, exam_id: uuid.UUID) -> HttpResponse:
    """Answer with the small pictures that the page does not have yet, and with what else is seen and heard right now.

    The page sends ``{"have": {session: version}}`` of the tiles that are in sight, the first wanted first. Asking is
    what makes glimpses be made.
    """
    exam = _exam_to_watch(request, exam_id)
    have = _asked(request)
    if have is None:
        return JsonResponse({"detail": _("This is not a question that is understood here.")}, status=400)
    glimpses.note_watching(exam.pk)
    of_exam = ExamSession.objects.filter(exam=exam, status__in=OPEN_STATUSES, pk__in=list(have)).order_by()
    sat_by = dict(of_exam.values_list("pk", "candidate__user"))
    wanted = [session_id for session_id in have if session_id in sat_by]
    newer = _newer(wanted, have)
    note_live_looks(request, {session_id: sat_by[session_id] for session_id in newer})
    answer = JsonResponse({"pictures": _told(newer), "signs": _signs(wanted)})
    answer["Cache-Control"] = "private, no-store"
    return answer


def _exam_to_watch(request: HttpRequest, exam_id: uuid.UUID) -> Exam:
    """Return the exam; one whose wall is not the user's to see does not exist for them."""
    exam = Exam.objects.filter(pk=exam_id).first()
    if exam is None or not may_look(staff_user(request).pk, exam_id):
        raise Http404
    return exam


def _addresses(exam: Exam) -> dict[str, str]:
    """Return what the scripts call; a nil key stands where a session's own goes."""
    nil = uuid.UUID(int=0)
    return {
        "socket": f"/ws/review/{exam.pk}/",
        "rows": reverse("admin:monitoring_wall_rows", args=[exam.pk]),
        "glimpses": reverse("admin:monitoring_wall_glimpses", args=[exam.pk]),
        "session": reverse("admin:exams_examsession_change", args=[nil]),
        "action": reverse("session-pause", args=[nil]),
        "nil": str(nil),
    }


def _asked(request: HttpRequest) -> dict[uuid.UUID, str] | None:
    """Return the versions of the pictures that the page has, by session; None if that cannot be read."""
    if len(request.body) > LONGEST_QUESTION:
        return None
    try:
        have = json.loads(request.body)["have"]
        asked = {uuid.UUID(session_id): str(version) for session_id, version in have.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return asked if len(asked) <= MOST_ASKED else None


def _newer(wanted: list[uuid.UUID], have: Mapping[uuid.UUID, str]) -> dict[uuid.UUID, glimpses.Picture]:
    """Return the pictures that the page does not have, the first wanted first, as many as go out at once."""
    held = glimpses.pictures_of(wanted)
    newer = [pk for pk in wanted if pk in held and held[pk].version != have[pk]]
    return {pk: held[pk] for pk in newer[:MOST_PICTURES]}


def _told(pictures: Mapping[uuid.UUID, glimpses.Picture]) -> dict[str, dict[str, str]]:
    return {
        str(pk): {"version": picture.version, "jpeg": base64.b64encode(picture.jpeg).decode()}
        for pk, picture in pictures.items()
    }


def _signs(wanted: list[uuid.UUID]) -> dict[str, dict[str, Any]]:
    signs = glimpses.signs_of(wanted)
    return {str(pk): {"people": one.people, "sound_db": one.sound_db} for pk, one in signs.items()}
