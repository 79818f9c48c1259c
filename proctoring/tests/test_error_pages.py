"""Pages for people when something is not there or not for them."""

import pytest

from proctoring.errors import server_error


@pytest.mark.parametrize(("language", "words"), [("en", "There is nothing here"), ("bn", "এখানে কিছু নেই")])
def test_a_missing_page_is_said_in_the_reader_s_language(client, db, language, words):
    answer = client.get("/nothing-here", headers={"accept": "text/html", "accept-language": language})
    assert answer.status_code == 404
    assert words in answer.content.decode()


def test_a_failure_has_a_page_that_needs_nothing_of_what_may_have_failed(rf):
    page = server_error(rf.get("/admin/")).content.decode()
    assert "Something went wrong" in page
