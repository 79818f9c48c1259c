"""With whose face a session's pictures are compared: for the moment only, and kept nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from django.utils.translation import gettext_noop

from accounts.enrolled import faces_for_exams
from exams.models import ExamSession
from vision.types import Due, Sense

NOT_COMPARED = gettext_noop("There is no enrolled face that may be compared during exams.")
"""One sentence for whoever enrolled none, did not agree, or withdrew: who of them it is concerns no reviewer."""


ENROLLED = "session__candidate__user__face"
"""From a session's monitor to the user who enrolled a face, None where nobody did; read along with the monitor."""


def with_faces(
    dues: Mapping[uuid.UUID, Due], enrolled: Mapping[uuid.UUID, uuid.UUID | None] | None = None
) -> dict[uuid.UUID, Due]:
    """Return by session what is to be examined, with the enrolled faces where they are wanted and may be used.

    Asked for each batch anew, so that a face which is removed, or a consent that is withdrawn, counts at once.
    ``enrolled`` tells by session what ``ENROLLED`` leads to, where the caller has just read it.
    """
    wanting = [session_id for session_id, due in dues.items() if Sense.IDENTITY in due.senses]
    if not wanting:
        return dict(dues)
    if enrolled is None:
        sessions = ExamSession.objects.filter(pk__in=wanting).order_by()
        enrolled = dict(sessions.values_list("pk", "candidate__user__face"))
    owners = {session_id: owner for session_id in wanting if (owner := enrolled.get(session_id))}
    faces = faces_for_exams(set(owners.values()))
    found = {session_id: faces[owner] for session_id, owner in owners.items() if owner in faces}
    return {
        session_id: replace(due, enrolled=tuple(found[session_id].tolist())) if session_id in found else due
        for session_id, due in dues.items()
    }


def not_compared(due: Due) -> dict[str, str]:
    """Return why the sense says nothing, where it is wanted and there is nothing to compare with."""
    wanted = Sense.IDENTITY in due.senses and not due.enrolled
    return {str(Sense.IDENTITY): NOT_COMPARED} if wanted else {}
