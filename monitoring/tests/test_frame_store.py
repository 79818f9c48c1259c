"""The queue of waiting pictures on a real disk."""

import threading
import uuid

import pytest

from monitoring.frame_store import DirectorySpool, QueueFull, StoredFrame

SESSION = uuid.uuid4()


@pytest.fixture
def spool(tmp_path):
    return DirectorySpool(tmp_path / "spool", length=20)


def frame(seq, at=None):
    return StoredFrame(seq=seq, captured_at=float(seq if at is None else at), data=b"picture %d" % seq)


def test_it_gives_pictures_back_by_time_of_capture(spool):
    for seq, at in ((3, 30.5), (1, 10.25), (2, 20.0)):
        spool.put(SESSION, frame(seq, at))
    taken = spool.take(SESSION, 2)
    assert [(item.seq, item.captured_at, item.data) for item in taken] == [
        (1, 10.25, b"picture 1"),
        (2, 20.0, b"picture 2"),
    ]


def test_it_keeps_what_was_taken_until_it_is_discarded(spool):
    spool.put(SESSION, frame(1))
    spool.take(SESSION, 5)
    assert spool.waiting(SESSION) == 1
    spool.discard(SESSION, [1])
    assert (spool.waiting(SESSION), list(spool.sessions())) == (0, [])


def test_it_stores_a_repeated_picture_once(spool):
    spool.put(SESSION, frame(1))
    spool.put(SESSION, frame(1))
    assert spool.waiting(SESSION) == 1


def test_it_thins_evenly_when_full_and_counts_what_went(spool):
    gone = sum(spool.put(SESSION, frame(seq)) for seq in range(100))
    left = [item.seq for item in spool.take(SESSION, 100)]
    assert len(left) + gone == 100
    assert len(left) <= 20
    assert (left[0], left[-1]) == (0, 99)


def test_it_loses_nothing_when_many_put_and_discard_at_once(tmp_path):
    spool = DirectorySpool(tmp_path, length=10_000)
    taken: set[int] = set()

    def put(first):
        for seq in range(first, 400, 4):
            spool.put(SESSION, frame(seq))

    def drain():
        while len(taken) < 400:
            items = spool.take(SESSION, 16)
            taken.update(item.seq for item in items)
            spool.discard(SESSION, [item.seq for item in items])

    threads = [threading.Thread(target=put, args=(first,)) for first in range(4)] + [threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert taken == set(range(400))


def test_it_gives_up_an_empty_queue_and_keeps_one_that_is_not(spool, tmp_path):
    spool.put(SESSION, frame(1))
    spool.forget(SESSION)
    assert spool.waiting(SESSION) == 1
    spool.discard(SESSION, [1])
    spool.forget(SESSION)
    assert list((tmp_path / "spool").iterdir()) == []


def test_it_lists_only_sessions_with_something_waiting(spool):
    other = uuid.uuid4()
    spool.put(other, frame(1))
    assert list(spool.sessions()) == [other]


def chunk(seq):
    return StoredFrame(seq=seq, captured_at=float(seq), data=b"sound %d" % seq, stream="audio")


def test_it_keeps_pictures_and_sound_apart(spool):
    spool.put(SESSION, frame(1))
    spool.put(SESSION, chunk(1))
    assert (spool.waiting(SESSION), spool.waiting(SESSION, "frame"), spool.waiting(SESSION, "audio")) == (2, 1, 1)
    assert [item.data for item in spool.take(SESSION, 5, "audio")] == [b"sound 1"]
    spool.discard(SESSION, [1])
    assert (spool.take(SESSION, 5), list(spool.sessions())) == ([], [SESSION])
    spool.discard(SESSION, [1], "audio")
    assert list(spool.sessions()) == []


def test_it_takes_no_more_sound_than_may_wait_and_drops_none(spool):
    for seq in range(20):
        assert spool.put(SESSION, chunk(seq)) == 0
    with pytest.raises(QueueFull):
        spool.put(SESSION, chunk(20))
    assert spool.put(SESSION, chunk(3)) is None
    assert [item.seq for item in spool.take(SESSION, 50, "audio")] == list(range(20))
    assert spool.put(SESSION, frame(1)) == 0
