"""Logs for people and for machines: whose request, session and task a line belongs to, and no secrets in it."""

from __future__ import annotations

import inspect
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.http import http_date
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

logger = logging.getLogger("proctoring.access")

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("text", "json")
HEADER = "X-Request-ID"
SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
HIDDEN = "***"

_VALUE = r"""[^\s&"'\\,;)}\]]+"""
_NAMES = (
    r"\b(?:[a-z_-]{0,30}(?:token|ticket|password|passwd|secret|api_?key)|authorization|sessionid|access|refresh|jwt)"
)
_MASKS = (
    # What follows the path of an address: tokens and tickets travel there, and names of people in searches.
    (re.compile(r"""(?<=[\w/}\]])\?[\w.~%\[\]-]+=[^\s"'\\]*"""), "?" + HIDDEN),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?"), HIDDEN),
    (re.compile(r"""\b(bearer|basic)\b([ ,:="'\\]+)[\w.~+/=-]{8,}""", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(rf"({_NAMES}=\\?[\"'])[^\"'\\]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"({_NAMES}=){_VALUE}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(rf"({_NAMES}(?:\\?[\"'])?\s*:\s*b?\\?[\"'])(?!bearer\b|basic\b)[^\"'\\]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"""(://[^\s:/@"'\\]*:)[^\s/@"'\\]+(?=@)"""), rf"\1{HIDDEN}"),
)


@dataclass(frozen=True, slots=True)
class Belonging:
    """What the lines written just now belong to; empty where there is none."""

    request_id: str = ""
    session_id: str = ""
    task_id: str = ""
    request: HttpRequest | None = None

    def fields(self) -> dict[str, str]:
        """Return what is known, by the names it has in the log."""
        known = {
            "request_id": self.request_id,
            "session_id": self.session_id or _session_of(self.request),
            "user_id": _user_of(self.request),
            "task_id": self.task_id,
        }
        return {name: value for name, value in known.items() if value}


_NOTHING = Belonging()
_now: ContextVar[Belonging] = ContextVar("log_belonging", default=_NOTHING)


@contextmanager
def belonging(to: Belonging) -> Iterator[None]:
    """Have all lines written within belong to something."""
    token = _now.set(to)
    try:
        yield
    finally:
        _now.reset(token)


def _session_of(request: HttpRequest | None) -> str:
    match = request.resolver_match if request is not None else None
    return str(match.kwargs.get("pk", "")) if match is not None and "sessions/<uuid:pk>" in match.route else ""


def _user_of(request: HttpRequest | None) -> str:
    """Return the id of who is known to have called, without asking the database or a token who it is."""
    if request is None:
        return ""
    user = request.__dict__.get("user")
    if user is not None and hasattr(user, "_wrapped"):  # lazy: looked up already, or not to be looked up for a line
        user = request.__dict__.get("_cached_user")
    return str(getattr(user, "pk", None) or "")


# --- what a line looks like -------------------------------------------------------------------------------------------


def mask(text: str) -> str:
    """Return the text without tokens, tickets, passwords and queries of addresses."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


class Belongs(logging.Filter):
    """Marks every line with what it belongs to; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark one line."""
        # Django writes of a bad answer when the request is already over.
        fields = (getattr(getattr(record, "request", None), "log_belonging", None) or _now.get()).fields()
        for name, value in fields.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        record.belongs = "".join(f" {name[:-3]}={value}" for name, value in fields.items())
        return True


class TextLines(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and its traceback."""
        record.belongs = getattr(record, "belongs", "")
        return mask(super().format(record))


class JsonLines(JsonFormatter):
    """One JSON object per line: time, level, logger, message, what it belongs to, exception."""

    def __init__(self) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            # Objects that libraries hang on their lines; in words they hold whole addresses.
            reserved_attrs=[*RESERVED_ATTRS, "taskName", "belongs", "request", "server_time", "data", "context"],
            json_ensure_ascii=False,
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Mask each value: masks would take the names and commas between them for their own."""
        return {name: _masked(value) for name, value in log_data.items()}


def _masked(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | datetime) else mask(str(value))


def read_log_choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    """Return the variable if it is one of the choices."""
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}.")
    return text


def logging_settings(*, form: str, level: str) -> dict[str, Any]:
    """Return Django's ``LOGGING``: everything goes through one handler to standard error."""
    plain = "%(asctime)s %(levelname)s %(name)s%(belongs)s %(message)s"
    # Others bring handlers of their own for these, which would write past the masks.
    through_root: dict[str, Any] = {"handlers": [], "propagate": True, "level": level}
    names = ("django", "django.server", "uvicorn", "uvicorn.access", "uvicorn.error", "celery", "celery.task")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"belongs": {"()": "proctoring.logs.Belongs"}},
        "formatters": {
            "text": {"()": "proctoring.logs.TextLines", "fmt": plain},
            "json": {"()": "proctoring.logs.JsonLines"},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["belongs"]}},
        "root": {"handlers": ["console"], "level": level},
        # It tells each step of each page.
        "loggers": {
            **dict.fromkeys(names, through_root),
            "weasyprint": {"level": max(level, "WARNING", key=LEVELS.index)},
        },
    }


# --- whose line it is -------------------------------------------------------------------------------------------------


def request_context(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give every request an id, which its lines bear and its answer tells, and write one line for it."""

    def handle(request: HttpRequest) -> HttpResponse:
        request_id = sane_id(request.headers.get(HEADER, ""))
        started = time.perf_counter()
        lines = Belonging(request_id=request_id, request=request)
        request.log_belonging = lines  # type: ignore[attr-defined]
        with belonging(lines):
            response = get_response(request)
            took = {"status_code": response.status_code, "duration_ms": round((time.perf_counter() - started) * 1000)}
            path = request.path.encode("unicode_escape").decode()
            logger.info("%s %s %s", request.method, path, response.status_code, extra=took)
        response[HEADER] = request_id
        # Daphne sends no time, and a client without a socket has nothing else to set its clock by.
        response.setdefault("Date", http_date())
        return response

    return handle


def sane_id(text: str) -> str:
    """Return the id that a proxy or client gave, if it looks like one, else a new one."""
    return text if SANE_ID.fullmatch(text) else uuid.uuid4().hex


Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]


def socket_context(application: Application) -> Application:
    """Have the lines of a socket bear an id and its session, and count it while it is open."""
    from monitoring import meters

    async def handle(scope: Scope, receive: Any, send: Any) -> Any:
        headers = dict(scope.get("headers", ()))
        path = scope.get("path", "")
        review, found = path.startswith("/ws/review/"), UUID.search(path)
        lines = Belonging(
            request_id=sane_id(headers.get(HEADER.lower().encode(), b"").decode("latin1")),
            session_id=found[0] if found and not review else "",
        )
        shown, started = path.encode("unicode_escape").decode(), time.perf_counter()
        with belonging(lines), meters.sockets.labels("reviewer" if review else "candidate").track_inprogress():
            logger.info("WS %s opened", shown)
            try:
                return await application(scope, receive, send)
            finally:
                took = {"duration_ms": round((time.perf_counter() - started) * 1000)}
                logger.info("WS %s closed", shown, extra=took)

    return handle


def connect() -> None:
    """Have the lines of a task bear its id, its session, and the id of the request that asked for it."""
    from celery import signals

    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.before_task_publish.connect(_send_along, weak=False)
    signals.task_prerun.connect(_begin_task, weak=False)
    signals.task_postrun.connect(_end_task, weak=False)


def _keep_logging(**_more: Any) -> None:
    """Being connected is enough: Celery then leaves alone what Django has set up."""


def _send_along(headers: dict[str, Any] | None = None, **_more: Any) -> None:
    request_id = _now.get().request_id
    if request_id and headers is not None:
        headers["request_id"] = request_id


def _begin_task(task_id: str = "", task: Any = None, args: Any = (), **_more: Any) -> None:
    first = next(iter(inspect.signature(task.run).parameters), "")
    is_of_one = first == "session_id" or (first == "session_ids" and len(args) == 1)
    lines = Belonging(
        request_id=str(task.request.get("request_id") or ""),
        session_id=str(args[0]) if args and is_of_one else "",
        task_id=task_id,
    )
    task.request.log_token = _now.set(lines)


def _end_task(task: Any = None, **_more: Any) -> None:
    token = task.request.get("log_token")
    if token is not None:
        task.request.log_token = None
        _now.reset(token)
