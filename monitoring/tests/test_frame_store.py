"""The queue of waiting pictures on a real disk."""

import threading
import uuid

import pytest

from monitoring.frame_store import DirectorySpool, StoredFrame

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
