"""What a wall shows beyond the rows: made only while somebody looks, small, and soon gone."""

import io
import time

import pytest
from django.core.cache import caches
from PIL import Image

from exams.policy import Thresholds
from monitoring import analysis, glimpses, intake, wall
from monitoring.tests.factories import START, make_session, two_men_jpeg
from monitoring.tests.pictures import tone
from monitoring.tests.storage import private_redis
from vision.decoding import decode_picture
from vision.sound import wrap_pcm
from vision.types import Frame, Heard, Level

pytestmark = pytest.mark.django_db
REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.fixture(autouse=True)
def cache():
    caches["glimpses"].clear()
    yield caches["glimpses"]
    caches["glimpses"].clear()


def row_of(session):
    [row] = wall.rows_of([session.pk])
    return row


def take_picture(session, seq=1):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=two_men_jpeg())
    analysis.analyze_waiting(session_ids=[session.pk], streams=["frame"])


def test_nothing_is_held_while_nobody_looks(no_worker):
    session = make_session()
    take_picture(session)
    assert glimpses.pictures_of([session.pk]) == {}
    assert row_of(session).people is None


def test_somebody_who_looks_sees_the_newest_picture_small_and_how_many_it_shows(no_worker):
    session = make_session()
    glimpses.note_watching(session.exam_id)
    take_picture(session, 1)
    take_picture(session, 2)
    picture = glimpses.pictures_of([session.pk])[session.pk]
    assert picture.taken_at == START.timestamp() + 2
    shown = Image.open(io.BytesIO(picture.jpeg))
    assert (shown.format, shown.width) == ("JPEG", glimpses.WIDTH)
    assert len(picture.jpeg) < 25_000
    assert row_of(session).people == 2


def test_a_look_at_one_exam_is_none_at_another(no_worker):
    session, other = make_session(), make_session()
    glimpses.note_watching(other.exam_id)
    take_picture(session)
    assert glimpses.pictures_of([session.pk, other.pk]) == {}


def test_somebody_who_looks_sees_how_loud_it_is(no_worker):
    session = make_session()
    glimpses.note_watching(session.exam_id)
    data = wrap_pcm(tone(2.0), rate=16_000, channels=1)
    intake.take_sound(session=session, seq=1, captured_at=START.timestamp() + 1, data=data)
    analysis.analyze_waiting(session_ids=[session.pk], streams=["audio"])
    assert row_of(session).sound_db == pytest.approx(-15.3, abs=0.2)


def test_a_picture_that_was_not_examined_says_nothing_of_people():
    session = make_session()
    frame = Frame(seq=1, captured_at=time.time(), rgb=decode_picture(two_men_jpeg()))
    glimpses.keep_picture(session.pk, frame, [], Thresholds())
    assert session.pk in glimpses.pictures_of([session.pk])
    assert glimpses.signs_of([session.pk])[session.pk] == glimpses.Signs()


def test_of_several_chunks_the_last_that_was_heard_counts():
    session = make_session()
    loud, quiet = (Heard(n, 0.0, 1.0, Level(db, db, db, 0.0)) for n, db in ((1, -10.0), (2, -50.0)))
    glimpses.keep_sound(session.pk, [loud, quiet, None])
    assert glimpses.signs_of([session.pk])[session.pk].sound_db == -50.0


def test_nothing_of_a_session_is_held_once_it_is_forgotten():
    session = make_session()
    glimpses.keep_picture(session.pk, Frame(1, 1.0, decode_picture(two_men_jpeg())), [], Thresholds())
    glimpses.keep_sound(session.pk, [Heard(1, 0.0, 1.0, Level(-10.0, -10.0, -10.0, 0.0))])
    glimpses.forget(session.pk)
    assert glimpses.pictures_of([session.pk]) == {}
    assert glimpses.signs_of([session.pk])[session.pk] == glimpses.Signs()


def test_what_is_held_has_an_end(cache):
    session = make_session()
    glimpses.note_watching(session.exam_id)
    glimpses.keep_picture(session.pk, Frame(1, 1.0, decode_picture(two_men_jpeg())), [], Thresholds())
    ends = cache._expire_info.values()
    assert len(ends) == 3
    assert all(0 < end - time.time() <= glimpses.HELD_S for end in ends)


def test_another_process_finds_them_in_redis(settings, tmp_path, no_worker):
    with private_redis(tmp_path) as server:
        shared = settings.CACHES["glimpses"] | {
            "BACKEND": REDIS,
            "LOCATION": server.url,
            "OPTIONS": {"socket_timeout": 2},
        }
        settings.CACHES = settings.CACHES | {"glimpses": shared}
        session = make_session()
        glimpses.note_watching(session.exam_id)
        take_picture(session)
        assert row_of(session).people == 2
        assert glimpses.pictures_of([session.pk])[session.pk].jpeg[:2] == b"\xff\xd8"
        left = [server.client().ttl(key) for key in server.client().scan_iter()]
        assert len(left) == 3
        assert all(0 < seconds <= glimpses.HELD_S for seconds in left)


def test_a_cache_that_is_away_costs_glimpses_and_nothing_else(settings, no_worker):
    away = {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = settings.CACHES | {"glimpses": away}
    session = make_session()
    glimpses.note_watching(session.exam_id)
    take_picture(session)
    assert session.observations.count() == 1
    assert row_of(session).people is None
