"""From what happens to the sockets that should know: after the commit, in order, bounded, and without harm."""

import asyncio
import logging
import os
import secrets
import shutil
import subprocess
import sys
import threading
import uuid
from datetime import timedelta

import pytest
from channels.layers import channel_layers
from channels_redis.core import RedisChannelLayer
from django.db import transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from monitoring import news, notify, wire
from monitoring.models import SuspiciousActivity
from monitoring.notify import session_group
from monitoring.services import record_event
from monitoring.tests.ears import messages, wait_for
from monitoring.tests.factories import START, make_session
from monitoring.tests.storage import free_port
from monitoring.tests.test_server import ROOT

NEWS = wire.ProctorMessage("Look at the camera.", START)


def report(session, kind="TAB_SWITCH", after_s=10.0, source="browser"):
    at = START + timedelta(seconds=after_s)
    return record_event(session_id=session.pk, event_type=kind, source=source, occurred_at=at)


def test_nothing_is_told_before_the_commit_and_nothing_of_what_was_taken_back(
    db, ears, django_capture_on_commit_callbacks
):
    group = uuid.uuid4()
    heard = ears.listen(session_group(group))
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            notify.tell_candidate(group, wire.ProctorMessage("taken back", START))
            transaction.set_rollback(True)
        notify.tell_candidate(group, NEWS)
        assert notify.flush()
        ears.settle()
        assert heard == []
    wait_for(lambda: heard)
    assert [message["text"] for message in messages(heard)] == [NEWS.text]


def test_it_tells_in_order_and_closes_last(committed, db, ears):
    group = uuid.uuid4()
    heard = ears.listen(session_group(group))

    def tell():
        for number in range(50):
            notify.tell_candidate(group, wire.ProctorMessage(str(number), START))
        notify.tell_candidate(group, NEWS, close=wire.Close.ENDED, close_reason="সময় শেষ। " * 20)

    committed(tell)
    wait_for(lambda: len(heard) == 52)
    assert [message["text"] for message in messages(heard)] == [*map(str, range(50)), NEWS.text]
    last = heard[-1]
    assert (last["type"], last["code"]) == ("wire.close", 4410)
    assert last["reason"].startswith("সময় শেষ।")
    assert len(last["reason"].encode()) <= 123


def test_it_tells_from_many_threads_at_once(db, ears):
    group = uuid.uuid4()
    heard = ears.listen(session_group(group))
    outbox = notify._server.outbox

    def tell(name):
        for number in range(200):
            event = {"type": "wire.text", "text": f"{name} {number}"}
            outbox.put(notify.Push(session_group(group), event))

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(heard) == 800)
    for name in "abcd":
        assert [event["text"] for event in heard if event["text"][0] == name] == [f"{name} {n}" for n in range(200)]


def test_where_too_much_waits_the_oldest_updates_make_room(ears, caplog):
    heard = ears.listen("exam.x")
    go_on, stands = threading.Event(), threading.Event()

    def stand():
        stands.set()
        go_on.wait(10)

    ears.loop.call_soon_threadsafe(stand)
    assert stands.wait(5)
    outbox = notify._server.outbox

    def put(name, count, *, is_update):
        for number in range(count):
            event = {"type": "wire.text", "text": f"{name} {number}"}
            outbox.put(notify.Push("exam.x", event, is_update))

    with caplog.at_level(logging.WARNING):
        put("first", 10, is_update=False)
        put("update", 1200, is_update=True)
        put("last", 10, is_update=False)
    assert len(outbox._waiting) == notify.MOST_WAITING
    go_on.set()
    wait_for(lambda: len(heard) == notify.MOST_WAITING)
    texts = [event["text"] for event in heard]
    assert texts[:10] == [f"first {n}" for n in range(10)]
    assert texts[-10:] == [f"last {n}" for n in range(10)]
    assert texts[10:-10] == [f"update {n}" for n in range(220, 1200)]
    assert [record.message for record in caplog.records] == [
        "sockets are told too slowly, so the oldest news is dropped; rows are as they should be"
    ]


def test_a_layer_that_is_away_harms_nobody(db, committed, caplog, layer):
    channel_layers.set("default", RedisChannelLayer(hosts=["redis://127.0.0.1:1/0"]))
    session = make_session()
    with caplog.at_level(logging.WARNING):
        committed(report, session)
        committed(report, session, "PASTE")
    assert SuspiciousActivity.objects.filter(session=session).count() == 2
    warned = [record.message for record in caplog.records if record.name == "monitoring.notify"]
    assert len(warned) == 1, warned
    assert warned[0].startswith("sockets were not told (ConnectionError")


def test_news_that_cannot_be_put_together_harms_nobody(db, committed, caplog, ears):
    session = make_session()

    def fail():
        raise RuntimeError

    def tell():
        notify.after_commit(fail)
        report(session)

    with caplog.at_level(logging.WARNING):
        committed(tell)
    assert SuspiciousActivity.objects.filter(session=session).count() == 1
    assert "sockets were not told" in caplog.text


def test_without_a_loop_nobody_is_told_and_nothing_is_asked_for_it(
    db, layer, committed, django_assert_num_queries, caplog
):
    session = make_session()
    assert not notify.is_reachable()
    with django_assert_num_queries(0):
        news.tell_session(session.pk, session.exam_id)
        news.tell_presence(session.pk)
        news.tell_step(session)
        committed(notify.tell_candidate, session.pk, NEWS)
    assert not caplog.records


def test_a_loop_that_has_ended_is_none(layer, ears):
    assert notify.is_reachable()
    ears.close()
    assert not notify.is_reachable()


FORKS = """
import os, sys, uuid
import django; django.setup()
from datetime import datetime, timezone
from monitoring import notify, wire
session_id = uuid.UUID(sys.argv[1])

def tell(text):
    notify.tell_candidate(session_id, wire.ProctorMessage(text, datetime.now(timezone.utc)))
    assert notify.flush(10)

tell("parent")
child = os.fork()
if child == 0:
    tell("child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
notify.tell_candidate(session_id, wire.ProctorMessage("last words", datetime.now(timezone.utc)))
"""


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server")
def test_a_forked_process_tells_too_and_the_last_words_of_one_that_ends_are_heard(tmp_path):
    """As in a Celery worker: it forks its children, and tells through Redis from synchronous code."""
    port, session_id = free_port(), uuid.uuid4()
    address = f"redis://127.0.0.1:{port}/0"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "proctoring.settings", "REDIS_URL": address}
    environ.pop("DATABASE_URL", None)
    environ |= {"READ_DOT_ENV": "0", "SECRET_KEY": secrets.token_urlsafe(50), "VAR_DIR": str(tmp_path)}
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as redis:
        try:
            heard = asyncio.run(_hear_forks(address, session_id, environ))
        finally:
            redis.kill()
    assert heard == ["parent", "child", "last words"]


async def _hear_forks(address, session_id, environ):
    layer = RedisChannelLayer(hosts=[{"address": address, "socket_timeout": None}])
    channel = await layer.new_channel()
    for _time in range(100):
        try:
            await layer.group_add(session_group(session_id), channel)
            break
        except RedisConnectionError:  # it is still starting
            await asyncio.sleep(0.05)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FORKS, str(session_id), env=environ, cwd=ROOT)
    assert await process.wait() == 0
    events = [await asyncio.wait_for(layer.receive(channel), 5) for _number in range(3)]
    await layer.flush()
    return [message["text"] for message in messages(events)]
