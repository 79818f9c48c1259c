"""What queues of waiting pictures and sound do, on a real disk and in a real Redis server."""

import threading
import uuid
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest

from monitoring.frame_store import MOST_BYTES, FrameStore, QueueFull, StoredFrame, frame_store
from monitoring.redis_store import RedisFrameStore
from monitoring.spool import DirectorySpool
from monitoring.tests.storage import private_redis

SESSION = uuid.uuid4()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["spool", "redis"])
def make(request, tmp_path):
    """A function that makes a store of a given length."""
    if request.param == "spool":
        return partial(DirectorySpool, tmp_path / "spool")
    url = request.getfixturevalue("redis_url")
    for session in RedisFrameStore(url, 1, 60).sessions():
        RedisFrameStore(url, 1, 60).clear(session)
    return partial(RedisFrameStore, url, ttl_s=3600)


@pytest.fixture
def store(make):
    return make(length=20)


def frame(seq, at=None):
    return StoredFrame(seq=seq, captured_at=float(seq if at is None else at), data=b"picture %d" % seq)


def chunk(seq):
    return StoredFrame(seq=seq, captured_at=float(seq), data=b"sound %d" % seq, stream="audio")


def test_it_gives_pictures_back_by_time_of_capture(store):
    for seq, at in ((3, 30.5), (1, 10.25), (2, 20.0)):
        assert store.put(SESSION, frame(seq, at)) == 0
    taken = store.take(SESSION, 2)
    assert [(item.seq, item.captured_at, item.data) for item in taken] == [
        (1, 10.25, b"picture 1"),
        (2, 20.0, b"picture 2"),
    ]
    assert store.numbers(SESSION) == [1, 2, 3]


def test_it_orders_pictures_of_one_moment_by_their_numbers(store):
    for seq in (10, 2**53 - 1, 9, 100):
        store.put(SESSION, frame(seq, 1_700_000_000.123))
    assert [item.seq for item in store.take(SESSION, 10)] == [9, 10, 100, 2**53 - 1]
    assert {item.captured_at for item in store.take(SESSION, 10)} == {1_700_000_000.123}


def test_it_keeps_any_bytes_as_they_are(store):
    data = bytes(range(256)) * 400
    store.put(SESSION, StoredFrame(1, 1.0, data))
    assert store.take(SESSION, 1)[0].data == data


def test_it_keeps_what_was_taken_until_it_is_discarded(store):
    store.put(SESSION, frame(1))
    store.take(SESSION, 5)
    assert store.waiting(SESSION) == 1
    store.discard(SESSION, [1, 7])
    assert (store.waiting(SESSION), list(store.sessions()), store.numbers(SESSION)) == (0, [], [])


def test_it_does_for_several_sessions_at_once_what_it_does_for_one(store):
    other, empty = uuid.uuid4(), uuid.uuid4()
    for seq in range(1, 4):
        store.put(SESSION, frame(seq))
        store.put(other, frame(10 * seq))
    taken = store.take_each({SESSION: 2, other: 5, empty: 5})
    numbers = {session: [item.seq for item in items] for session, items in taken.items()}
    assert numbers == {SESSION: [1, 2], other: [10, 20, 30], empty: []}
    assert store.discard_each({SESSION: [1, 2], other: [10, 99], empty: []}) == {SESSION: 2, other: 1, empty: 0}
    assert (store.numbers(SESSION), store.numbers(other)) == ([3], [20, 30])
    assert store.thinned_of([SESSION, empty]) == {SESSION: 0, empty: 0} and store.thinned_of([]) == {}


def test_it_stores_a_repeated_number_once_and_keeps_the_first(store):
    assert store.put(SESSION, frame(1, 5.0)) == 0
    assert store.put(SESSION, frame(1, 9.0)) is None
    assert [(item.seq, item.captured_at) for item in store.take(SESSION, 5)] == [(1, 5.0)]


def test_a_number_may_come_again_once_it_was_discarded(store):
    store.put(SESSION, frame(1))
    store.discard(SESSION, [1])
    assert store.put(SESSION, frame(1)) == 0


@pytest.mark.parametrize("length", [1, 2, 20, 240])
def test_it_thins_evenly_when_full_and_counts_what_went(make, length):
    store = make(length=length)
    gone = sum(store.put(SESSION, frame(seq)) for seq in range(5 * length))
    left = store.numbers(SESSION)
    assert len(left) + gone == 5 * length
    assert len(left) <= max(2, length)  # the first and the last stay
    assert (left[0], left[-1]) == (0, 5 * length - 1)
    assert max(after - before for before, after in pairwise(left)) <= 16
    assert make(length=length).thinned(SESSION) == gone  # another process knows it too
    store.discard(SESSION, left)
    assert store.thinned(SESSION) == gone
    store.forget(SESSION)
    assert (store.thinned(SESSION), list(store.sessions())) == (0, [])


def test_both_places_thin_out_the_same_pictures(redis_url, tmp_path):
    stores: list[FrameStore] = [RedisFrameStore(redis_url, 20, 60), DirectorySpool(tmp_path, 20)]
    session = uuid.uuid4()
    gone = [[store.put(session, frame(seq, 1000 - seq % 7)) for seq in range(150)] for store in stores]
    assert gone[0] == gone[1]
    assert stores[0].numbers(session) == stores[1].numbers(session)


def test_it_loses_nothing_when_many_put_and_discard_at_once(make):
    store, taken, answers = make(length=10_000), set(), []

    def put(first):
        numbers = [*range(first, 400, 4), *range(first, 400, 40)]
        answers.extend(store.put(SESSION, frame(seq)) for seq in numbers)

    def drain():
        while len(taken) < 400:
            items = store.take(SESSION, 16)
            taken.update(item.seq for item in items)
            store.discard(SESSION, [item.seq for item in items])

    threads = [threading.Thread(target=put, args=(first,)) for first in range(4)] + [threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert taken == set(range(400))
    assert answers.count(0) >= 400


def test_of_many_that_put_one_number_at_once_one_stores_it(store):
    barrier, answers = threading.Barrier(8), []

    def put(number):
        for seq in range(15):
            barrier.wait(10)
            answers.append(store.put(SESSION, StoredFrame(seq, 1.0, b"of %d" % number)))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers, key=str) == [0] * 15 + [None] * 105
    assert store.numbers(SESSION) == list(range(15))


def test_two_processes_together_count_what_they_thin_out_once(make):
    both = [make(length=40), make(length=40)]
    gone = sum(both[seq % 2].put(SESSION, frame(seq)) for seq in range(600))
    assert both[0].waiting(SESSION) + gone == 600
    assert both[0].waiting(SESSION) <= 40 + 2 * 3


def test_it_gives_up_an_empty_queue_and_keeps_one_that_is_not(store):
    store.put(SESSION, frame(1))
    store.forget(SESSION)
    assert (store.waiting(SESSION), list(store.sessions())) == (1, [SESSION])
    store.discard(SESSION, [1])
    store.forget(SESSION)
    assert list(store.sessions()) == []


def test_it_lists_only_sessions_with_something_waiting(store):
    other = uuid.uuid4()
    store.put(other, frame(1))
    assert list(store.sessions()) == [other]


def test_it_clears_one_session_and_leaves_the_others(store):
    other = uuid.uuid4()
    for item in (frame(1), frame(2), chunk(1)):
        store.put(SESSION, item)
    store.put(other, chunk(1))
    for seq in range(3, 30):
        store.put(SESSION, frame(seq))
    assert store.thinned(SESSION) > 0
    store.clear(SESSION)
    assert store.thinned(SESSION) == 0
    assert (store.waiting(SESSION), list(store.sessions())) == (0, [other])
    assert store.put(SESSION, frame(1)) == 0


def test_it_keeps_pictures_and_sound_apart(store):
    store.put(SESSION, frame(1))
    store.put(SESSION, chunk(1))
    assert (store.waiting(SESSION), store.waiting(SESSION, "frame"), store.waiting(SESSION, "audio")) == (2, 1, 1)
    assert [item.data for item in store.take(SESSION, 5, "audio")] == [b"sound 1"]
    store.discard(SESSION, [1])
    assert (store.take(SESSION, 5), list(store.sessions())) == ([], [SESSION])
    store.discard(SESSION, [1], "audio")
    assert list(store.sessions()) == []


def test_it_takes_no_more_sound_than_may_wait_and_drops_none(store):
    for seq in range(20):
        assert store.put(SESSION, chunk(seq)) == 0
    with pytest.raises(QueueFull):
        store.put(SESSION, chunk(20))
    assert store.put(SESSION, chunk(3)) is None
    assert store.numbers(SESSION, "audio") == list(range(20))
    assert store.put(SESSION, frame(1)) == 0
    store.discard(SESSION, [0], "audio")
    assert store.put(SESSION, chunk(20)) == 0


@pytest.mark.parametrize("stream", ["frame", "audio"])
def test_it_holds_only_so_many_bytes_of_one_stream_of_a_session(make, stream):
    store, large, taken = make(length=240), b"x" * (6 * 1024**2), 0
    for seq in range(20):
        with suppress(QueueFull):
            store.put(SESSION, StoredFrame(seq, float(seq), large, stream))
            taken += 1
    waiting = store.waiting(SESSION, stream)
    assert waiting * len(large) <= MOST_BYTES + len(large)
    assert waiting + store.thinned(SESSION) == taken
    assert taken == (20 if stream == "frame" else waiting)
    store.discard(SESSION, store.numbers(SESSION, stream), stream)
    assert store.put(SESSION, StoredFrame(99, 99.0, large, stream)) == 0


def test_it_tells_how_many_of_what_it_removes_still_waited(store):
    for seq in range(3):
        store.put(SESSION, frame(seq))
    assert store.discard(SESSION, [0, 1, 7]) == 2
    assert store.discard(SESSION, [0, 1]) == 0


@pytest.mark.parametrize(("chosen", "kind"), [("spool", DirectorySpool), ("redis", RedisFrameStore)])
def test_the_settings_choose_the_place(settings, redis_url, tmp_path, chosen, kind):
    settings.FRAME_STORE, settings.REDIS_URL, settings.FRAME_SPOOL = chosen, redis_url, tmp_path
    assert isinstance(frame_store(), kind)
    assert frame_store() is frame_store()
