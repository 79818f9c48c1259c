"""A full disk, a full or absent Redis, a forked process: what is not stored is not acknowledged."""

import errno
import os
import resource
import subprocess
import uuid

import pytest

from monitoring import analysis, intake
from monitoring.frame_store import StoredFrame, StoreUnavailable, frame_store
from monitoring.models import SessionMonitor
from monitoring.redis_store import RedisFrameStore
from monitoring.spool import DirectorySpool
from monitoring.tests.factories import START, make_session, two_men_jpeg
from monitoring.tests.storage import private_redis
from monitoring.thinned import count_thinned

SESSION = uuid.uuid4()


def frame(seq, size=40_000):
    return StoredFrame(seq, float(seq), b"x" * size)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(store):
    """Put pictures until no more are taken; returns the numbers that were, and the failure."""
    stored = []
    for seq in range(200):
        try:
            store.put(SESSION, frame(seq))
        except StoreUnavailable as failure:
            return stored, failure
        stored.append(seq)
    raise AssertionError("it never became full")


def test_what_a_process_died_over_goes_and_what_another_is_writing_stays(tmp_path, monkeypatch):
    store = DirectorySpool(tmp_path, 20)
    store.tidy()  # of nothing
    store.put(SESSION, frame(1))
    (tmp_path / "readme").write_text("none of ours")
    own, other = tmp_path / str(SESSION), tmp_path / str(uuid.uuid4())
    other.mkdir()
    for folder in (own, other):
        (folder / ".dead.part").write_bytes(b"half a picture")
    monkeypatch.setattr("monitoring.spool.LEFT_BEHIND_S", 3600.0)
    store.tidy()
    assert len(list(tmp_path.rglob("*.part"))) == 2
    monkeypatch.setattr("monitoring.spool.LEFT_BEHIND_S", -1.0)
    store.tidy()
    assert (list(tmp_path.rglob("*.part")), other.exists(), store.numbers(SESSION)) == ([], False, [1])


def test_a_full_disk_is_told_and_keeps_what_was_stored(small_disk):
    store = DirectorySpool(small_disk, 500)
    stored, failure = fill(store)
    assert failure.errno == errno.ENOSPC
    assert [item.seq for item in store.take(SESSION, 500)] == stored
    assert {len(item.data) for item in store.take(SESSION, 500)} == {40_000}
    assert not list(small_disk.rglob("*.part"))
    store.discard(SESSION, stored[:5])
    assert store.put(SESSION, frame(1000)) == 0  # it goes on once there is room


@pytest.mark.django_db
def test_the_intake_refuses_what_a_full_disk_does_not_take(small_disk, settings):
    settings.FRAME_SPOOL = small_disk
    fill(frame_store())
    session = make_session()
    with pytest.raises(intake.IntakeRefused) as refused:
        intake.take_frame(session=session, seq=1, captured_at=START.timestamp(), data=two_men_jpeg())
    assert (refused.value.status, refused.value.code) == (503, "storage_unavailable")
    assert SessionMonitor.objects.get().frames_total == 0


def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path):
    store, reader, writer = DirectorySpool(tmp_path, 500), *os.pipe()
    child = os.fork()
    if child == 0:  # the limit is the process's own
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            store.put(SESSION, frame(1))
        except StoreUnavailable as failure:
            os.write(writer, str(failure.errno).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reader, 10)) == errno.EFBIG
    assert list((tmp_path / str(SESSION)).iterdir()) == []


def test_a_full_redis_is_told_and_keeps_what_was_stored(tmp_path):
    with private_redis(tmp_path, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as server:
        store = RedisFrameStore(server.url, 500, 60)
        stored, failure = fill(store)
        assert "memory" in str(failure)
        assert [item.seq for item in store.take(SESSION, 500)] == stored
        store.discard(SESSION, stored[:20])
        assert store.put(SESSION, frame(1000)) == 0


def test_a_redis_that_is_away_is_told_and_back_again_has_what_it_accepted(tmp_path):
    with private_redis(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        store = RedisFrameStore(server.url, 500, 60)
        for seq in range(50):
            assert store.put(SESSION, frame(seq)) == 0
        server.kill()
        for call in (
            lambda: store.put(SESSION, frame(50)),
            lambda: store.take(SESSION, 1),
            lambda: store.waiting(SESSION),
            lambda: list(store.sessions()),
            lambda: store.numbers(SESSION),
            lambda: store.clear(SESSION),
        ):
            with pytest.raises(StoreUnavailable):
                call()
        server.start()
        assert store.put(SESSION, frame(50)) == 0
        assert store.numbers(SESSION) == list(range(51))


def test_a_redis_that_has_forgotten_our_scripts_is_told_them_again(tmp_path):
    with private_redis(tmp_path) as server:
        store, other = RedisFrameStore(server.url, 16, 60), uuid.uuid4()
        for session in (SESSION, other):
            for seq in range(3):
                store.put(session, frame(seq))
        server.client().script_flush()
        taken = store.take_each({SESSION: 2, other: 1})
        assert {session: [one.seq for one in items] for session, items in taken.items()} == {
            SESSION: [0, 1],
            other: [0],
        }
        server.client().script_flush()
        assert store.discard_each({SESSION: [0, 1], other: [0]}) == {SESSION: 2, other: 1}
        assert store.count([SESSION, other], "frame") == {SESSION: 1, other: 2}


def test_a_queue_in_redis_has_an_end_in_time_that_moves_on(tmp_path):
    with private_redis(tmp_path) as server:
        RedisFrameStore(server.url, 500, 3600).put(SESSION, frame(1))
        client = server.client()
        keys = sorted(client.keys(f"frames:{SESSION}:*"))
        for key in keys:
            client.expire(key, 10)
        RedisFrameStore(server.url, 500, 3600).put(SESSION, frame(2))
        assert len(keys) == 3
        assert all(7100 < client.ttl(key) <= 7200 for key in keys)
        for key in keys:
            client.delete(key)  # as if they had expired
        assert list(RedisFrameStore(server.url, 500, 3600).sessions()) == []
        assert client.keys() == []


def test_a_forked_process_does_not_mix_its_answers_with_its_parents(tmp_path):
    with private_redis(tmp_path) as server:
        store = RedisFrameStore(server.url, 5000, 60)
        store.put(SESSION, frame(0, 100))  # the connection is open before the fork
        children = []
        for first in (1, 2, 3):
            child = os.fork()
            if child == 0:
                try:
                    for seq in range(first, 600, 3):
                        assert store.put(SESSION, frame(seq, 100)) == 0
                except BaseException:  # noqa: BLE001  a forked test must not go on as a second pytest
                    os._exit(1)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert store.numbers(SESSION) == list(range(600))


@pytest.mark.django_db
def test_what_was_thinned_out_is_counted_though_whoever_thinned_it_died(settings, tmp_path):
    settings.FRAME_SPOOL, settings.FRAME_QUEUE_LENGTH = tmp_path, 20
    session = make_session()
    picture = two_men_jpeg()
    gone = sum(
        frame_store().put(session.pk, StoredFrame(seq, START.timestamp() + seq, picture)) or 0 for seq in range(30)
    )
    assert gone > 0
    assert SessionMonitor.objects.get().frames_skipped == 0
    analysis.analyze_waiting(session_ids=[session.pk])
    monitor = SessionMonitor.objects.get()
    assert (monitor.frames_skipped, monitor.frames_analysed) == (gone, 30 - gone)
    count_thinned(session_id=session.pk)
    assert SessionMonitor.objects.get().frames_skipped == gone
    frame_store().clear(session.pk)  # the store lost what it had
    more = sum(
        frame_store().put(session.pk, StoredFrame(seq, START.timestamp() + seq, picture)) or 0 for seq in range(30, 52)
    )
    count_thinned(session_id=session.pk)
    assert SessionMonitor.objects.get().frames_skipped == gone + more
    assert 0 < more < gone
