"""Making a session go away, with every picture of it."""

from __future__ import annotations

from django.db import transaction

from exams.models import ExamSession
from monitoring.models import Evidence


@transaction.atomic
def erase_session(*, session: ExamSession) -> None:
    """Delete a session, its rows and its evidence files; files go once the rows are surely gone."""
    files = [(item.file.storage, str(item.file.name)) for item in Evidence.objects.filter(activity__session=session)]
    session.delete()

    def remove() -> None:
        for storage, name in files:
            storage.delete(name)

    transaction.on_commit(remove)
