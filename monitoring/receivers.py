"""What the life-cycle's news sets in motion here."""

from typing import Any

from django.dispatch import receiver

from exams.models import ExamSession
from exams.signals import session_changed, session_finished, session_started
from monitoring import news, queue, services


@receiver(session_started)
def start_watching(session: ExamSession, **_kwargs: Any) -> None:
    """Give a session that begins its monitor and assessment."""
    services.open_monitor(session=session)


@receiver(session_finished)
def finish_watching(session: ExamSession, **_kwargs: Any) -> None:
    """Have the rest analysed and the books closed; the sweep does it if this message is lost."""
    queue.send(queue.FINISH, session.pk)


@receiver(session_changed)
def tell_both_sides(session: ExamSession, **_kwargs: Any) -> None:
    """Tell the candidate's socket and the reviewers of every step."""
    news.tell_step(session)
