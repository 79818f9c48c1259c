"""Whether somebody may open a candidate's socket, and what its client has to know at the beginning."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.tokens import ended_sign_ins
from exams.clock import assignment_of, time_of
from exams.models import CLOSED_STATUSES, ExamSession
from exams.tickets import sign_in_of, take_ticket
from monitoring import intake, resume, wire
from monitoring.consumers import access
from monitoring.consumers.access import Caller, Grounds
from monitoring.consumers.budget import budget_of
from monitoring.consumers.hall import View
from monitoring.lane import in_thread

GENERATION_S = 24 * 3600


class TurnedAway(Exception):
    """A socket that is closed at once: with a code, a word for machines and a sentence."""

    def __init__(self, close: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.close, self.code, self.detail = close, code, detail


@dataclass(frozen=True, slots=True)
class Admission:
    """Who sits which session, and which of several sockets of it this one is: the highest is the newest."""

    user: User
    grounds: Grounds
    session: ExamSession
    language: str
    generation: int
    highest: dict[str, int]


async def let_in(scope: Mapping[str, Any], session_id: uuid.UUID, claim: str | None) -> Admission:
    """Return who comes in with this claim (``access.claim_of``); raises ``TurnedAway``."""
    language = access.language_of(scope, None)
    if claim is None:
        raise _stranger(language)
    if claim and not budget_of(claim).may_open():  # before anything is looked up
        raise flood(language)
    admitted = await in_thread(admit, scope, session_id, executor=access.door)
    if not claim and not budget_of(str(admitted.user.pk)).may_open():
        raise flood(admitted.language)
    return admitted


def flood(language: str) -> TurnedAway:
    """Return that somebody sent or came too often."""
    with translation.override(language):
        detail = _("Too much came that cannot be taken; wait a while before you connect again.")
    return TurnedAway(wire.Close.FLOOD, "flood", detail)


def _stranger(language: str) -> TurnedAway:
    with translation.override(language):
        detail = _("Sign in again, or ask for a new ticket: this one is unknown, used or too old.")
    return TurnedAway(wire.Close.BAD_TICKET, "not_authenticated", detail)


def admit(scope: Mapping[str, Any], session_id: uuid.UUID) -> Admission:
    """Return who comes in; raises ``TurnedAway``. A ticket is used up by it."""
    caller = _caller_of(scope, session_id)
    language = access.language_of(scope, None if caller is None else caller.user)
    if caller is None:
        raise _stranger(language)
    user = caller.user
    with translation.override(language):
        session = find_session(session_id, user)
        highest = resume.highest_numbers(session.pk)
        return Admission(user, caller.grounds, session, language, next_generation(session.pk), highest)


def find_session(session_id: uuid.UUID, user: User) -> ExamSession:
    """Return the user's own, open session; raises ``TurnedAway``."""
    related = ("candidate", "policy", "exam")
    session = ExamSession.objects.select_related(*related).filter(pk=session_id).first()
    if session is None:
        raise TurnedAway(wire.Close.NO_SESSION, "not_found", _("There is no such session."))
    if session.candidate.user_id != user.pk:
        raise TurnedAway(wire.Close.NOT_YOURS, "permission_denied", _("This is somebody else's session."))
    if not session.is_open:
        raise TurnedAway(wire.Close.ENDED, "session_over", _("This session is over, so its socket is closed."))
    return session


def check_standing(view: View | None, grounds: Grounds, *, signed_out: bool) -> View:
    """Return how a session stands whose socket is open and may stay so; raises ``TurnedAway`` where it may not."""
    if view is None:
        raise TurnedAway(wire.Close.NO_SESSION, "not_found", _("There is no such session."))
    if not view.user_is_active:
        raise TurnedAway(wire.Close.NOT_YOURS, "permission_denied", _("This account has been switched off."))
    if view.status in CLOSED_STATUSES:
        raise TurnedAway(wire.Close.ENDED, "session_over", _("This session is over, so its socket is closed."))
    if signed_out or view.password != grounds.password:
        detail = _("You signed out, or your password was changed; sign in again.")
        raise TurnedAway(wire.Close.BAD_TICKET, "not_authenticated", detail)
    return view


def hello(session: ExamSession, highest: Mapping[str, int]) -> wire.Hello:
    """Return the greeting of a session as it stands now."""
    clock = time_of(session, arranged=assignment_of(session))
    return wire.Hello(
        session=str(session.pk),
        status=session.status,
        resume_from={stream: number + 1 for stream, number in highest.items()},
        policy=pace_of(session),
        time=time.time_ns() // 1_000_000,
        left_s=clock.left_s,
        deadline_at=clock.deadline_at,
    )


def fresh_hello(session_id: uuid.UUID) -> wire.Hello | None:
    """Return the greeting of a session by its id; None if it is gone."""
    session = ExamSession.objects.select_related("candidate", "policy", "exam").filter(pk=session_id).first()
    return None if session is None else hello(session, resume.highest_numbers(session_id))


def pace_of(session: ExamSession) -> dict[str, Any]:
    """Return what a client has to know to send what is wanted and no more."""
    rules = session.rules
    return {
        "fps": settings.CAPTURE_FPS if rules.looks else 0.0,
        "sound": rules.listens,
        "senses": [str(sense) for sense in rules.senses],
        "max_frames_per_s": settings.SOCKET_FRAMES_PER_S,
        "max_picture_bytes": intake.MAX_PICTURE_BYTES,
        "max_sound_bytes": intake.MAX_SOUND_BYTES,
        "may_pause": rules.candidate_may_pause,
    }


def next_generation(session_id: uuid.UUID) -> int:
    """Return a number higher than any before it for this session, in all processes that share the cache."""
    now = time.time_ns() // 1_000_000
    key = f"socket.{session_id.hex}"
    try:
        # A cache that was emptied goes on from the clock, which is ahead of any count.
        cache.add(key, now, GENERATION_S)
        return int(cache.incr(key))
    except Exception:  # noqa: BLE001  whatever the cache's server does, a candidate gets in
        return now


def _caller_of(scope: Mapping[str, Any], session_id: uuid.UUID) -> Caller | None:
    ticket = access.told(scope, "ticket")
    if not ticket:
        return access.caller_by_token(access.token_of(scope))
    user, sign_in = take_ticket(ticket=ticket, session_id=session_id), sign_in_of(ticket)
    if user is None or ended_sign_ins([sign_in]):
        return None
    return Caller(user, Grounds(access.digest_of(user.password), sign_in))
