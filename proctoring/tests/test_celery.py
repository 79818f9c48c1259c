"""How background work is set up: what is sent is served, and nothing is done twice for being slow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.signals import worker_process_init
from django.conf import settings as django_settings

from monitoring.tests.storage import private_redis
from proctoring.celery import QUEUES, app, warm_up_models
from proctoring.checks import redis_keeps_what_it_accepts
from vision import loading

ROOT = Path(__file__).resolve().parents[2]


def load_tasks():
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_goes_to_a_queue_that_is_served():
    found = {name: app.amqp.router.route({}, name)["queue"].name for name in load_tasks()}
    assert set(found.values()) == set(QUEUES)
    assert found["monitoring.tasks.analyze_sessions"] == "vision"
    assert found["monitoring.tasks.analyze_sounds"] == "audio"
    assert found["reports.tasks.make_session_report"] == "reports"
    assert found["monitoring.tasks.sweep"] == "default"


def test_every_chore_is_a_task_and_waits_no_longer_than_for_its_next_turn():
    tasks = load_tasks()
    for chore in django_settings.CELERY_BEAT_SCHEDULE.values():
        assert chore["task"] in tasks
        assert chore["options"]["expires"] == chore["schedule"]


def test_no_task_may_run_so_long_that_its_message_is_handed_out_again():
    limits = [task.time_limit or django_settings.CELERY_TASK_TIME_LIMIT for task in load_tasks().values()]
    assert max(limits) < django_settings.VISIBILITY_S


def settings_of(**environ):
    left_out = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "FRAME_STORE")
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    names = "s.FRAME_STORE, s.CELERY_BROKER_TRANSPORT_OPTIONS, s.EMBEDDED_WORKER"
    code = f"from django.conf import settings as s; print({names})"
    command = [sys.executable, "-c", code]
    kept |= {"DJANGO_SETTINGS_MODULE": "proctoring.settings", "READ_DOT_ENV": "0", **environ}
    return subprocess.run(command, env=kept, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "spool {'polling_interval': 0.01} True"),
        ({"REDIS_URL": "redis://r:6379/0"}, "redis {'visibility_timeout': 1800} False"),
        ({"REDIS_URL": "redis://r:6379/0", "FRAME_STORE": "spool"}, "spool {'visibility_timeout': 1800} False"),
        ({"CELERY_BROKER_URL": "amqp://rabbit//"}, "spool {} False"),
        ({"REDIS_URL": "redis://r:6379/0", "CELERY_BROKER_URL": "amqp://rabbit//"}, "redis {} False"),
    ],
    ids=["nothing", "Redis", "Redis and a folder", "RabbitMQ", "RabbitMQ and Redis"],
)
def test_the_environment_chooses_queues_and_broker(tmp_path, environ, expected):
    done = settings_of(VAR_DIR=str(tmp_path), **environ)
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize(("chosen", "words"), [("redis", "REDIS_URL"), ("s3", "spool or redis")])
def test_a_place_that_cannot_be_is_refused(tmp_path, chosen, words):
    done = settings_of(VAR_DIR=str(tmp_path), FRAME_STORE=chosen)
    assert done.returncode
    assert words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("queues", [["vision", "default"], ["audio"]], ids=["sees", "only listens"])
def test_a_process_that_will_see_builds_its_models_beforehand(monkeypatch, queues):
    built = []
    monkeypatch.setattr(loading, "warm_up", lambda: built.append(1))
    monkeypatch.setattr(type(app.amqp.queues), "consume_from", dict.fromkeys(queues))
    warm_up_models()
    assert bool(built) == ("vision" in queues)


def test_models_are_built_when_a_process_begins():
    assert any(receiver() is warm_up_models for _key, receiver in worker_process_init.receivers if callable(receiver))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--appendonly", "yes"), set()),
        ((), {"proctoring.W006"}),
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), {"proctoring.W006", "proctoring.W007"}),
    ],
    ids=["kept", "forgotten", "evicted"],
)
def test_the_deployment_check_looks_at_what_redis_keeps(tmp_path, settings, options, found):
    with private_redis(tmp_path, *options) as server:
        settings.FRAME_STORE, settings.REDIS_URL = "redis", server.url
        assert {message.id for message in redis_keeps_what_it_accepts(None)} == found
    assert redis_keeps_what_it_accepts(None) == []  # it is away by now
