"""A session that goes away takes everything along."""

import pytest

from accounts.models import Role
from exams.models import ExamSession
from monitoring.erasure import erase_session
from monitoring.models import Evidence, ReviewDecision, SuspiciousActivity
from monitoring.review import decide_activity
from monitoring.tests.factories import end_session, facts, make_session, make_user, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_it_erases_rows_decisions_and_pictures(django_capture_on_commit_callbacks):
    session = make_session()
    stream = [facts(at, faces=0, objects={}) for at in range(10)]
    watch(session, *stream, pictures={item.seq: lambda: b"\xff\xd8 picture" for item in stream})
    end_session(session, 10)
    activity = SuspiciousActivity.objects.get()
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=make_user(Role.REVIEWER))
    picture = Evidence.objects.get().file
    with django_capture_on_commit_callbacks(execute=True):
        erase_session(session=session)
    assert not ExamSession.objects.exists()
    assert not ReviewDecision.objects.exists()
    assert not picture.storage.exists(picture.name)
