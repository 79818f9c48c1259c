"""Every database keeps and compares what people write in the same way."""

import pytest
from django.apps import apps
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Count, F, UniqueConstraint, Value
from django.db.models.functions import Concat

from accounts.models import User
from exams.models import Exam
from monitoring.models import MonitoringLog
from monitoring.tests.factories import START, make_exam, make_session

pytestmark = [pytest.mark.database, pytest.mark.django_db]

TEXTS = ["Résumé", "resume", "RESUME", "😀", "😎", "আলজেব্রা", "a_b", "a%b", r"a\b", "ends ", "ends", ""]


def log(session, event_type):
    return MonitoringLog.objects.create(session=session, event_type=event_type, source="client", occurred_at=START)


def test_it_keeps_every_character_and_takes_no_text_for_another():
    session = make_session()
    for text in TEXTS:
        log(session, text)
    kinds = MonitoringLog.objects.filter(session=session).values("event_type").annotate(times=Count("pk"))
    assert {row["event_type"]: row["times"] for row in kinds} == dict.fromkeys(TEXTS, 1)
    for text in TEXTS:
        assert MonitoringLog.objects.get(session=session, event_type=text).event_type == text


def test_it_takes_codes_for_different_that_differ_in_case_only():
    other = make_exam(code="Algebra")
    make_exam(code="algebra")
    with pytest.raises(IntegrityError), transaction.atomic():
        Exam.objects.filter(pk=other.pk).update(code="algebra")
    assert Exam.objects.filter(code="algebra").count() == 1


def test_it_searches_without_regard_to_case_where_that_is_asked_for():
    make_exam(title="Linear Algebra")
    for found in (
        Exam.objects.filter(title__icontains="ALGEBRA"),
        Exam.objects.filter(title__iexact="linear algebra"),
        Exam.objects.filter(title__istartswith="lINEAR"),
        Exam.objects.filter(title__iendswith="gebra"),
        Exam.objects.filter(title__icontains=Value("NEAR")),
        Exam.objects.filter(title__istartswith=Concat(Value("LIN"), Value("ear"))),
        Exam.objects.filter(title__iexact=F("title")),
        Exam.objects.filter(title__contains="Algebra"),
    ):
        assert found.count() == 1
    if connection.vendor != "sqlite":  # whose LIKE never regards case
        assert not Exam.objects.filter(title__contains="algebra").exists()
        assert not Exam.objects.filter(title__startswith="linear").exists()
    assert not Exam.objects.filter(title="linear algebra").exists()


def test_it_takes_wildcards_for_characters():
    for title in ("a_b", "a%b", r"a\b", "axb"):
        make_exam(title=title)
    for title in ("a_b", "a%b", r"a\b", "A_B"):
        assert Exam.objects.filter(title__iexact=title).count() == 1
        assert Exam.objects.filter(title__icontains=title).count() == 1


def test_it_finds_people_by_their_address_however_they_write_it():
    user = User.objects.create_user("Ada_Rahman@Example.com")
    User.objects.create_user("adaxrahman@example.com")
    User.objects.create_user("adá_rahman@example.com")
    assert User.objects.get_by_natural_key("ADA_RAHMAN@EXAMPLE.COM") == user
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ada_rahman@EXAMPLE.com")


def test_it_keeps_times_to_the_microsecond():
    session = make_session()
    at = START.replace(microsecond=123457)
    MonitoringLog.objects.create(session=session, event_type="NOTE", source="client", occurred_at=at)
    assert MonitoringLog.objects.get(session=session).occurred_at == at


def test_it_keeps_and_finds_what_is_inside_json():
    session = make_session()
    detail = {"text": "বাংলা 😀", "counts": [1, 2.5, None, True], "nested": {"a": "B"}, "big": 2**53}
    entry = log(session, "NOTE")
    MonitoringLog.objects.filter(pk=entry.pk).update(detail=detail)
    entry.refresh_from_db()
    assert entry.detail == detail
    assert MonitoringLog.objects.filter(detail__nested__a="B").exists()
    assert not MonitoringLog.objects.filter(detail__nested__a="b").exists()
    assert MonitoringLog.objects.filter(detail__nested__a__icontains="b").exists()


def test_it_cuts_nothing_to_size():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no sizes; forms and serializers hold them")
    exams = Exam.objects.filter(pk=make_exam(title="Algebra").pk)
    for fields in ({"title": "x" * 201}, {"duration_minutes": 10**6}, {"duration_minutes": -1}):
        with pytest.raises((DataError, IntegrityError)), transaction.atomic():
            exams.update(**fields)
    assert exams.get().title == "Algebra"


def test_it_reads_what_others_have_committed():
    if connection.vendor != "mysql":
        pytest.skip("a question of MariaDB and MySQL alone")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@sql_mode")
        (mode,) = cursor.fetchone()
        cursor.execute("SHOW VARIABLES WHERE variable_name IN ('tx_isolation', 'transaction_isolation')")
        isolation = {value for _name, value in cursor.fetchall()}
        cursor.execute("SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = DATABASE()")
        collations = {row[0] for row in cursor.fetchall()}
    assert "STRICT_ALL_TABLES" in mode
    assert isolation == {"READ-COMMITTED"}
    assert collations <= {"utf8mb4_nopad_bin", "utf8mb4_0900_bin"}


def test_it_holds_every_unique_rule_of_the_models():
    if connection.vendor == "sqlite":
        pytest.skip("Django cannot read all of SQLite's rules back")
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                with connection.cursor() as cursor:
                    found = connection.introspection.get_constraints(cursor, model._meta.db_table)
                assert found[constraint.name]["unique"], constraint.name
