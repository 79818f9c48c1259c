"""The lists' filter by exam offers what somebody may see, whether it has rows in the list or not."""

import pytest
from django.contrib.admin.views.main import ChangeList

from accounts.models import Role
from exams.admin_filters import ExamFilter
from exams.models import Exam
from monitoring.tests.factories import make_exam, make_session, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]
LISTS = {
    "exams/examsession": "exam",
    "exams/examassignment": "exam",
    "exams/codesubmission": "session__exam",
    "monitoring/pictureaccess": "session__exam",
    "exams/proctoringpolicy": "exam",
}


def offered(listed: ChangeList, path: str) -> set[str]:
    found = [one for one in listed.filter_specs if isinstance(one, ExamFilter) and one.field_path == path]
    return {str(title) for one in found for _key, title in one.lookup_choices}


@pytest.mark.parametrize("name", LISTS)
def test_it_offers_the_exams_that_somebody_may_see(client, name):
    teacher = make_user(Role.TEACHER)
    mine = [make_exam(teacher), make_exam(teacher), make_exam()]
    mine[2].reviewers.add(teacher)
    make_session(make_exam())
    client.force_login(teacher)
    assert offered(client.get(f"/admin/{name}/").context["cl"], LISTS[name]) == {str(exam) for exam in mine}
    client.force_login(make_user(Role.ADMIN))
    assert offered(client.get(f"/admin/{name}/").context["cl"], LISTS[name]) == {
        str(exam) for exam in Exam.objects.all()
    }


def test_rows_are_those_of_the_exam_that_is_chosen(client):
    sessions = [make_session(make_exam()) for _ in range(2)]
    client.force_login(make_user(Role.ADMIN))
    page = client.get(f"/admin/exams/examsession/?exam__id__exact={sessions[0].exam_id}")
    assert [row.pk for row in page.context["cl"].result_list] == [sessions[0].pk]
