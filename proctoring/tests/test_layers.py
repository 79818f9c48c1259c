"""The layer of news between processes, with a Redis of its own."""

import asyncio
import threading
import time

import pytest

from monitoring.tests.storage import private_redis
from proctoring.layers import SteadyRedisLayer

ROUNDS = 3


@pytest.fixture
def redis(tmp_path):
    with private_redis(tmp_path) as server:
        yield server


def layer_at(redis):
    return SteadyRedisLayer(hosts=[{"address": redis.url, "socket_timeout": 15}])


async def tell(redis, channel, number):
    layer = layer_at(redis)
    await layer.send(channel, {"type": "news", "number": number})
    await layer.close_pools()


async def begins_to_wait(redis):
    """Return when a listener waits at the Redis itself."""
    deadline = time.monotonic() + 10
    while not any(client["cmd"] == "bzpopmin" and "b" in client["flags"] for client in redis.client().client_list()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def goodbyes(redis):
    """Have news arrive at the very moment at which the listener that fetches for all goes; return what was heard."""
    layer, heard = layer_at(redis), []
    stays = await layer.new_channel()
    for number in range(ROUNDS):
        goes = asyncio.ensure_future(layer.receive(await layer.new_channel()))
        await begins_to_wait(redis)
        listener = asyncio.ensure_future(layer.receive(stays))
        await asyncio.sleep(0)
        # Meanwhile this loop stands still, so that Redis has answered whoever goes before that is known here.
        teller = threading.Thread(target=asyncio.run, args=[tell(redis, stays, number)])
        teller.start()
        teller.join()
        goes.cancel()
        heard.append((await asyncio.wait_for(listener, 10))["number"])
    await layer.close_pools()
    return heard


def test_news_that_arrives_as_a_listener_goes_reaches_the_others(redis):
    assert asyncio.run(goodbyes(redis)) == list(range(ROUNDS))


async def after_a_fall(redis):
    """Have Redis fall while somebody listens, and come back; return what is heard then."""
    layer = layer_at(redis)
    channel = await layer.new_channel()
    listener = asyncio.ensure_future(layer.receive(channel))
    await begins_to_wait(redis)
    redis.kill()
    redis.start()
    await begins_to_wait(redis)
    await tell(redis, channel, 1)
    message = await asyncio.wait_for(listener, 10)
    await layer.close_pools()
    return message["number"]


def test_listeners_outlive_a_redis_that_falls(redis):
    assert asyncio.run(after_a_fall(redis)) == 1
