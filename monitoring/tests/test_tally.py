"""All queues at one look, in a folder and in Redis."""

import uuid

import pytest

from monitoring.frame_store import StoredFrame, StoreUnavailable, Tally
from monitoring.redis_store import RedisFrameStore
from monitoring.spool import DirectorySpool
from monitoring.tests.storage import private_redis

NOTHING = Tally({"frame": 0, "audio": 0}, {}, 0)


@pytest.fixture(params=["spool", "redis"])
def store(request, tmp_path):
    if request.param == "spool":
        yield DirectorySpool(tmp_path / "spool", 100)
        return
    with private_redis(tmp_path) as redis:
        yield RedisFrameStore(redis.url, 100, 1)


def test_it_adds_up_all_queues_and_finds_the_oldest(store):
    assert store.tally() == NOTHING
    one, other = uuid.uuid4(), uuid.uuid4()
    for session, seq, at in ((one, 1, 50.5), (one, 2, 40.25), (other, 1, 45.0)):
        store.put(session, StoredFrame(seq, at, b"x"))
    store.put(other, StoredFrame(1, 70.0, b"x", "audio"))
    assert store.tally() == Tally({"frame": 3, "audio": 1}, {"frame": 40.25, "audio": 70.0}, 2)
    store.discard(one, [1, 2])
    assert store.tally() == Tally({"frame": 1, "audio": 1}, {"frame": 45.0, "audio": 70.0}, 1)
    store.clear(other)
    assert store.tally() == NOTHING


def test_queues_that_redis_forgot_are_none(tmp_path):
    with private_redis(tmp_path) as redis:
        store = RedisFrameStore(redis.url, 100, 1)
        session = uuid.uuid4()
        store.put(session, StoredFrame(1, 50.0, b"x"))
        redis.client().delete(f"frames:{session}:frame:order", f"frames:{session}:frame:bytes")
        assert store.tally() == NOTHING


def test_a_server_that_is_away_is_said(tmp_path):
    with private_redis(tmp_path) as redis:
        store = RedisFrameStore(redis.url, 100, 1)
        redis.kill()
        with pytest.raises(StoreUnavailable):
            store.tally()


def test_a_thousand_queues_are_added_up(store):
    for at in range(1000):
        store.put(uuid.uuid4(), StoredFrame(1, 50.0 + at, b"x"))
    assert store.tally() == Tally({"frame": 1000, "audio": 0}, {"frame": 50.0}, 1000)
