"""The queues in Redis, for any number of machines.

Of each stream of a session a sorted set keeps the order (time of capture in ms), a hash the bytes, a number how many
bytes these are; a set names the sessions with anything waiting. Every change is one script, so it is done as a whole or
not at all. Redis needs its append-only file: with ``appendfsync everysec`` the death of its machine costs the last
second, with ``always`` nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from monitoring.frame_store import MOST_BYTES, STREAMS, QueueFull, StoredFrame, StoreUnavailable, Stream, Tally

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

P = ParamSpec("P")
T = TypeVar("T")
Call = tuple[list[Any], list[Any]]
"""Keys and arguments of a script."""

INDEX = b"frames:sessions"
WAITS_ALREADY, FULL = -1, -2

PUT = """
local order, bytes, size, index, thinned = unpack(KEYS)
local seq, captured_ms, data, length, most_bytes, ttl_s, thins, session = unpack(ARGV)
length, most_bytes = tonumber(length), tonumber(most_bytes)
if redis.call('ZSCORE', order, seq) then return -1 end
local held = tonumber(redis.call('GET', size) or '0')
if thins == '0' and (redis.call('ZCARD', order) >= length or held >= most_bytes) then return -2 end
redis.call('HSET', bytes, seq, data)
redis.call('ZADD', order, captured_ms, seq)
redis.call('SADD', index, session)
held = redis.call('INCRBY', size, #data)
for _, key in ipairs({order, bytes, size}) do redis.call('EXPIRE', key, ttl_s) end
local total = redis.call('ZCARD', order)
if thins == '0' or (total <= length and held <= most_bytes) then return 0 end
local waiting = redis.call('ZRANGE', order, 0, -1, 'WITHSCORES')
local places, taken, gone = {}, {}, 0
for i = 2, total - 1 do
  places[#places + 1] = {tonumber(waiting[2 * i + 2]) - tonumber(waiting[2 * i - 2]), i}
end
table.sort(places, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
for _, place in ipairs(places) do
  local i = place[2]
  if gone >= math.max(1, math.floor(total / 4)) then break end
  if not taken[i - 1] and not taken[i + 1] then
    taken[i], gone = true, gone + 1
    redis.call('ZREM', order, waiting[2 * i - 1])
    redis.call('DECRBY', size, redis.call('HSTRLEN', bytes, waiting[2 * i - 1]))
    redis.call('HDEL', bytes, waiting[2 * i - 1])
  end
end
redis.call('INCRBY', thinned, gone)
redis.call('EXPIRE', thinned, ttl_s)
return gone
"""
"""Stores one item unless its number waits; returns how many were thinned out, -1 if it waits, -2 if the queue is full.

What is thinned out is chosen as by ``thin_out``.
"""

TAKE = """
local found = {}
for _, seq in ipairs(redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)) do
  local data = redis.call('HGET', KEYS[2], seq)
  if data then
    found[#found + 1] = {seq, redis.call('ZSCORE', KEYS[1], seq), data}
  end
end
return found
"""

DISCARD = """
local order, bytes, size, index, removed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 0
for i = 2, #ARGV do
  removed = removed + redis.call('ZREM', order, ARGV[i])
  redis.call('DECRBY', size, redis.call('HSTRLEN', bytes, ARGV[i]))
  redis.call('HDEL', bytes, ARGV[i])
end
if redis.call('EXISTS', order) == 0 then redis.call('DEL', size) end
for i = 5, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return removed end
end
redis.call('SREM', index, ARGV[1])
return removed
"""
"""Removes items, and takes the session from the set once nothing waits in any of its streams; returns how many."""


def _tells_when_away(
    call: Callable[Concatenate[RedisFrameStore, P], T],
) -> Callable[Concatenate[RedisFrameStore, P], T]:
    """Turn whatever Redis fails with into ``StoreUnavailable``."""

    @wraps(call)
    def told(self: RedisFrameStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        from redis import RedisError

        try:
            return call(self, *args, **kwargs)
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis takes or gives nothing: {error}") from error

    return told


class RedisFrameStore:
    """The queues in one Redis server; ``ttl_s`` after the last item of a stream came in, Redis may forget it."""

    def __init__(self, url: str, length: int, ttl_s: int) -> None:
        self._redis, self._length = connection(url), length
        # Twice as long as the sweep waits, which counts what it removes: the server's own expiry counts nothing.
        self._ttl_s = 2 * ttl_s
        self._put, self._take, self._discard = map(self._redis.register_script, (PUT, TAKE, DISCARD))

    @_tells_when_away
    def put(self, session: uuid.UUID, frame: StoredFrame) -> int | None:
        """See ``FrameStore.put``."""
        thins = int(frame.stream == "frame")
        captured_ms = round(frame.captured_at * 1000)
        gone = int(
            self._put(
                keys=[*_keys(session, frame.stream), INDEX, _thinned_key(session)],
                args=[
                    _member(frame.seq),
                    captured_ms,
                    frame.data,
                    self._length,
                    MOST_BYTES,
                    self._ttl_s,
                    thins,
                    str(session),
                ],
            )
        )
        if gone == FULL:
            raise QueueFull
        return None if gone == WAITS_ALREADY else gone

    def take(self, session: uuid.UUID, limit: int, stream: Stream = "frame") -> list[StoredFrame]:
        """See ``FrameStore.take``."""
        return self.take_each({session: limit}, stream)[session]

    @_tells_when_away
    def take_each(
        self, limits: Mapping[uuid.UUID, int], stream: Stream = "frame"
    ) -> dict[uuid.UUID, list[StoredFrame]]:
        """See ``FrameStore.take_each``."""
        taken = self._each(self._take, [(_keys(session, stream), [limit]) for session, limit in limits.items()])
        return {
            session: [
                StoredFrame(int(seq), float(captured_ms) / 1000, data, stream) for seq, captured_ms, data in found
            ]
            for session, found in zip(limits, taken, strict=True)
        }

    @_tells_when_away
    def numbers(self, session: uuid.UUID, stream: Stream = "frame") -> list[int]:
        """See ``FrameStore.numbers``."""
        members: list[Any] = self._redis.zrange(_keys(session, stream)[0], 0, -1)
        return [int(member) for member in members]

    def discard(self, session: uuid.UUID, seqs: Sequence[int], stream: Stream = "frame") -> int:
        """See ``FrameStore.discard``."""
        return self.discard_each({session: seqs}, stream)[session]

    @_tells_when_away
    def discard_each(self, done: Mapping[uuid.UUID, Sequence[int]], stream: Stream = "frame") -> dict[uuid.UUID, int]:
        """See ``FrameStore.discard_each``."""
        calls: list[Call] = []
        for session, seqs in done.items():
            orders = [_keys(session, each)[0] for each in STREAMS]
            calls.append(([*_keys(session, stream), INDEX, *orders], [str(session), *map(_member, seqs)]))
        return {session: int(gone) for session, gone in zip(done, self._each(self._discard, calls), strict=True)}

    def waiting(self, session: uuid.UUID, stream: Stream | None = None) -> int:
        """See ``FrameStore.waiting``."""
        return sum(self._count([session], STREAMS if stream is None else (stream,)))

    def count(self, sessions: Sequence[uuid.UUID], stream: Stream) -> dict[uuid.UUID, int]:
        """See ``FrameStore.count``."""
        return dict(zip(sessions, self._count(sessions, (stream,)), strict=True))

    def thinned(self, session: uuid.UUID) -> int:
        """See ``FrameStore.thinned``."""
        return self.thinned_of([session])[session]

    @_tells_when_away
    def thinned_of(self, sessions: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """See ``FrameStore.thinned_of``."""
        counted: Any = self._redis.mget([_thinned_key(session) for session in sessions]) if sessions else []
        return {session: int(number or 0) for session, number in zip(sessions, counted, strict=True)}

    def sessions(self) -> Iterator[uuid.UUID]:
        """See ``FrameStore.sessions``."""
        named = self._named()
        for session, waiting in zip(named, self._count(named), strict=True):
            if waiting:
                yield session
            else:
                self.discard(session, [])  # its queues expired

    @_tells_when_away
    def tally(self) -> Tally:
        """See ``FrameStore.tally``."""
        sessions = self._named()
        asked = self._redis.pipeline(transaction=False)
        for session in sessions:
            for stream in STREAMS:
                order = _keys(session, stream)[0]
                asked.zcard(order)
                asked.zrange(order, 0, 0, withscores=True)
        answers = iter(asked.execute())
        waiting: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        oldest: dict[Stream, float] = {}
        with_any = 0
        for _session in sessions:
            before = sum(waiting.values())
            for stream in STREAMS:
                waiting[stream] += next(answers)
                for _member, captured_ms in next(answers):
                    oldest[stream] = min(oldest.get(stream, captured_ms / 1000), captured_ms / 1000)
            with_any += sum(waiting.values()) > before  # queues may have expired since they were named
        return Tally(waiting, oldest, with_any)

    def forget(self, session: uuid.UUID) -> None:
        """See ``FrameStore.forget``."""
        self.discard(session, [])
        self._forget_thinned(session)

    def tidy(self) -> None:
        """See ``FrameStore.tidy``; what is stored here is there as a whole or not at all."""

    @_tells_when_away
    def clear(self, session: uuid.UUID) -> None:
        """See ``FrameStore.clear``."""
        keys = [_thinned_key(session), *(key for stream in STREAMS for key in _keys(session, stream))]
        together = self._redis.pipeline(transaction=True)
        together.delete(*keys)
        together.srem(INDEX, str(session))
        together.execute()

    @_tells_when_away
    def _forget_thinned(self, session: uuid.UUID) -> None:
        self._redis.delete(_thinned_key(session))

    def _each(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Run a script for each of some keys and arguments, in one go.

        A script in a pipeline would have Redis asked each time whether it knows it; it only forgets when it restarts.
        """
        from redis.exceptions import NoScriptError

        def run() -> list[Any]:
            together = self._redis.pipeline(transaction=False)
            for keys, args in calls:
                together.evalsha(script.sha, len(keys), *keys, *args)
            return together.execute()

        try:
            return run()
        except NoScriptError:
            self._redis.script_load(script.script)
            return run()

    @_tells_when_away
    def _named(self) -> list[uuid.UUID]:
        names: Any = self._redis.smembers(INDEX)
        return sorted((uuid.UUID(name.decode()) for name in names), key=str)

    @_tells_when_away
    def _count(self, sessions: Sequence[uuid.UUID], streams: Sequence[Stream] = STREAMS) -> list[int]:
        """Return for each session how many items wait in these streams."""
        asked = self._redis.pipeline(transaction=False)
        for session in sessions:
            for stream in streams:
                asked.zcard(_keys(session, stream)[0])
        counts: list[int] = asked.execute() if sessions else []
        return [sum(counts[i : i + len(streams)]) for i in range(0, len(counts), len(streams))]


@cache
def connection(url: str) -> Redis:
    """Return this process's connections to a server; a forked child opens its own.

    One that the server has ended since it was last used is opened again, once: all that is asked may be asked twice.
    """
    from redis import ConnectionError, Redis  # noqa: A004  the library's own
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    again = Retry(NoBackoff(), 1, (ConnectionError,))
    return Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30, retry=again)


def _keys(session: uuid.UUID, stream: Stream) -> list[str]:
    return [f"frames:{session}:{stream}:{part}" for part in ("order", "bytes", "size")]


def _thinned_key(session: uuid.UUID) -> str:
    return f"frames:{session}:thinned"


def _member(seq: int) -> str:
    """The number in as many digits as the largest has: members of one time are in the order of their text."""
    return f"{seq:016d}"
