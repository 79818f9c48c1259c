"""Making a session go away, with every picture of it."""

from __future__ import annotations

from django.db import transaction

from exams.models import ExamSession
from monitoring import glimpses
from monitoring.frame_store import frame_store
from monitoring.models import Evidence


@transaction.atomic
def erase_session(*, session: ExamSession) -> None:
    """Delete a session, its rows, waiting pictures and evidence files; files go once the rows are surely gone."""
    files = [(item.file.storage, str(item.file.name)) for item in Evidence.objects.filter(activity__session=session)]
    session_id = session.pk
    # First, and by themselves: some databases would be told to make them decisions on no activity in between.
    session.decisions.all().delete()
    session.notes.all().delete()
    session.delete()

    def remove() -> None:
        frame_store().clear(session_id)
        glimpses.forget(session_id)
        for storage, name in files:
            storage.delete(name)

    transaction.on_commit(remove)
