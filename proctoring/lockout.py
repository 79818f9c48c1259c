"""The answer to a sign-in while the account is closed after too many failures."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.lockout import LockedOut, lockout_message
from proctoring.errors import answer_error


def answer_locked_out(request: HttpRequest, *_more: Any) -> HttpResponse:
    """429, in place of whatever else was answered: to programs in the one shape, to people as a page."""
    message = lockout_message()
    if request.path.startswith("/api/"):
        return answer_error(LockedOut.status, LockedOut.code, message)
    context = {**admin.site.each_context(request), "title": _("Log in"), "message": message}
    return render(request, "admin/locked_out.html", context, status=LockedOut.status)
