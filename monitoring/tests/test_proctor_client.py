"""The library of the candidate's page in a real browser, with its test camera and microphone, against a real server."""

import io
import json
import time
import wave
from itertools import pairwise

import pytest

from monitoring import wire
from monitoring.api.session_check import SystemCheckSerializer
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.line import REFUSAL, Line
from monitoring.tests.sockets import Sitting, SocketServer
from monitoring.tests.test_server import wait_until

pytest.importorskip("playwright", reason="playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
BEGIN = """async ({ session, token, options }) => {
  const { ProctorClient } = await import("/static/proctor/proctor-client.js");
  globalThis.told = [];
  globalThis.client = new ProctorClient({ session, getToken: () => token, ...options });
  for (const name of ["state", "logs", "status", "message", "health", "problem"]) {
    client.addEventListener(name, ({ detail }) => told.push({ name, ...detail }));
  }
  await client.start();
}"""
FULLSCREEN = """new Promise((resolve) => {
  document.addEventListener("fullscreenchange", resolve, { once: true });
  void document.documentElement.requestFullscreen();
})"""
CAPTURED = "client.stats.acked + client.stats.waiting"
CLOCK_OFF = """{
  const right = Date.now;
  Date.now = () => right() + 5 * 3600 * 1000;
  // A worker would still have the right time.
  delete globalThis.OffscreenCanvas;
}"""
LONGEST_STEP_S = 2.5
"""Pictures are a second apart; a machine that runs tests may be late."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture
def line(server):
    line = Line(server.port)
    yield line
    line.close()


@pytest.fixture
def page(window, line):
    """A page of the server, under the strict policy that candidates' pages have."""
    page = window.new_page()
    page.goto(f"{line.address}/exam/")
    page.wait_for_load_state()
    yield page
    for one in window.pages[1:]:
        one.close()


@pytest.fixture
def sitting(server):
    return Sitting(server)


def begun(sitting, **options):
    return {"session": sitting.id, "token": sitting.token, "options": options}


def begin(page, sitting, **options):
    page.evaluate(BEGIN, begun(sitting, **options))


def state(page):
    return page.evaluate("client.state")


def told(page, name):
    return [one for one in page.evaluate("told") if one["name"] == name]


def codes(page):
    return [one["code"] for one in told(page, "problem")]


def rows(sitting, table, columns, where=""):
    """Return rows of the sitting in the order in which they were written."""
    own = f"replace(session_id, '-', '') = '{sitting.id.replace('-', '')}'"
    return sitting.server.ask(f"SELECT {columns} FROM {table} WHERE {own} {where} ORDER BY id")


def pictures(sitting):
    """Return when the pictures that were examined were taken, in seconds of the day."""
    columns = "(julianday(captured_at) - 2440587.5) * 86400"
    return [at for (at,) in rows(sitting, "monitoring_observation", columns, "AND stream = 'frame'")]


def sounds(sitting):
    """Return the facts of the chunks of sound that were looked at."""
    return [json.loads(told) for (told,) in rows(sitting, "monitoring_observation", "facts", "AND stream = 'audio'")]


def loudness(sitting):
    """Return the chunks' levels, dBFS; a short last one may lie between two beeps of the test microphone."""
    return [sound["level"]["rms"] for sound in sounds(sitting) if sound["duration_s"] > 1]


def events(sitting, *kinds):
    found = rows(sitting, "monitoring_monitoringlog", "event_type, detail", "AND source = 'browser'")
    return [(kind, json.loads(detail)) for kind, detail in found if not kinds or kind in kinds]


def stored(sitting):
    """Return how many items are stored, each of which must be there once."""
    items = rows(sitting, "monitoring_observation", "stream, seq")
    items += rows(sitting, "monitoring_monitoringlog", "'event', seq", "AND source = 'browser'")
    assert len(items) == len(set(items))
    return len(items)


def end(page, sitting):
    """Stop, and see that all that was captured is stored once; returns when the pictures were taken."""
    assert page.evaluate("client.stop({ flush: true })") == {"left": 0}
    stats = page.evaluate("client.stats")
    assert stats["lost"] == stats["waiting"] == 0
    wait_until(lambda: stored(sitting) == stats["acked"])
    return pictures(sitting)


def steps(times):
    return [later - earlier for earlier, later in pairwise(times)]


def wait_for(page, script, seconds=30):
    """Wait until the script says yes; Playwright's own waiting evaluates text, which the page's policy forbids."""
    wait_until(lambda: page.evaluate(script), seconds)


# --- what arrives -----------------------------------------------------------------------------------------------------


def test_pictures_sound_and_events_arrive_under_the_pages_strict_policy(page, sitting):
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 9")
    page.evaluate("client.report('tabSwitch', { to: 'elsewhere' })")
    times = end(page, sitting)
    assert len(times) >= 5 and times == sorted(times)
    assert max(steps(times)) < LONGEST_STEP_S
    assert min(loudness(sitting)) > -90
    assert sum(sound["duration_s"] for sound in sounds(sitting)) == pytest.approx(times[-1] - times[0], abs=2)
    assert ("TAB_SWITCH", {"to": "elsewhere"}) in events(sitting)
    assert {"CAMERA_ON", "MIC_ON"} <= {kind for kind, _detail in events(sitting)}
    usable = rows(sitting, "monitoring_observation", "usable", "AND stream = 'frame'")
    assert set(usable) == {(1,)}
    assert "TAB_SWITCH" in [entry["kind"] for one in told(page, "logs") for entry in one["data"]]
    assert complaints == []


def test_sound_as_opus_is_a_tenth_of_the_bytes(page, sitting):
    sent = []
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda data: sent.append(data if isinstance(data, bytes) else b"")),
    )
    begin(page, sitting, sound="opus")
    wait_until(lambda: len(sounds(sitting)) >= 2)
    end(page, sitting)
    heard = sum(sound["duration_s"] for sound in sounds(sitting))
    assert min(loudness(sitting)) > -90
    chunks = [item for item in sent if item and wire.read_binary(item).stream == "audio"]
    assert sum(map(len, chunks)) < heard * 32_000 / 5


def test_what_happens_in_the_browser_is_told_without_its_content(page, sitting):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("document.body.prepend(Object.assign(document.createElement('textarea'), { id: 'answer' }))")
    begin(page, sitting, sound=False)
    page.focus("#answer")
    page.keyboard.type("secret words")
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+C")
    page.keyboard.press("End")
    page.keyboard.press("Control+V")
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+X")
    page.keyboard.press("Control+Shift+I")
    page.click("#answer", button="right")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.click("#answer")
    page.evaluate(FULLSCREEN)
    page.evaluate("document.exitFullscreen()")
    wait_until(lambda: events(sitting, "FULLSCREEN_EXIT"))
    end(page, sitting)
    found = events(sitting)
    expected = [
        ("COPY", {"characters": 12}),
        ("PASTE", {"characters": 12, "files": 0}),
        ("CUT", {"characters": 24}),
        ("DEVTOOLS_OPEN", {"sign": "keys"}),
        ("RIGHT_CLICK", {}),
        ("PRINT", {}),
        ("FULLSCREEN_EXIT", {}),
    ]
    assert [one for one in found if one in expected] == expected
    [(_kind, counts)] = [one for one in found if one[0] == "ACTIVITY"]
    assert counts["keys"] >= 20 and set(counts) == {"keys", "mouse"}
    assert "secret" not in json.dumps(found)


def test_a_camera_that_is_taken_away_is_told_and_opened_again(page, sitting):
    begin(page, sitting, sound=False)
    wait_for(page, "client.stats.acked >= 3")
    page.evaluate("client.stream.getVideoTracks()[0].stop()")
    wait_for(page, "told.some(({ code }) => code === 'camera_back')")
    before = len(pictures(sitting))
    wait_until(lambda: len(pictures(sitting)) > before)
    end(page, sitting)
    kinds = [kind for kind, _detail in events(sitting, "CAMERA_ON", "CAMERA_OFF")]
    assert kinds == ["CAMERA_ON", "CAMERA_OFF", "CAMERA_ON"]
    assert codes(page) == ["camera_lost", "camera_back"]


def test_a_worker_that_breaks_takes_no_picture_with_it(page, sitting):
    begin(page, sitting, sound=False)
    wait_for(page, "client.stats.acked >= 3")
    assert page.evaluate("client.background.encodes && !client.watching.camera.isOnPage")
    page.evaluate("client.background.worker.dispatchEvent(new ErrorEvent('error'))")
    before = page.evaluate("client.stats.acked")
    wait_for(page, f"client.stats.acked >= {before + 4}", 15)
    assert page.evaluate("client.watching.camera.isOnPage")
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S
    assert codes(page) == []


def test_devices_are_measured_in_the_words_of_the_system_check(page):
    script = """(async () => {
      const { ProctorClient } = await import("/static/proctor/proctor-client.js");
      const client = new ProctorClient({ session: "none", getToken: () => "" });
      const measured = await ProctorClient.measure(await client.openDevices());
      await client.stop();
      return [measured, client.stream.active];
    })()"""
    measured, is_on = page.evaluate(script)
    assert not is_on
    assert (measured["camera"]["width"], measured["camera"]["height"]) == (640, 480)
    assert 0.15 < measured["camera"]["brightness"] < 0.92
    assert -60 < measured["microphone"]["level_dbfs"] <= 0
    check = SystemCheckSerializer(data=measured)
    assert check.is_valid(), check.errors


# --- when the line breaks ---------------------------------------------------------------------------------------------


def test_what_was_captured_while_the_line_was_down_is_sent_in_order(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.cut()
    wait_for(page, "client.state === 'offline'")
    wait_for(page, "client.stats.waiting >= 8")
    line.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_for(page, "client.state === 'online'")
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S
    assert times == sorted(times)


def test_a_socket_that_died_quietly_is_found_and_replaced(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.die()
    page.evaluate("dispatchEvent(new Event('offline'))")
    wait_for(page, "client.state !== 'online'")
    line.mend()
    wait_for(page, "client.state === 'online'", 60)
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S


def test_a_proxy_that_answers_for_the_server_ends_nothing(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.cut(says=REFUSAL)
    wait_for(page, "client.state === 'offline'")
    wait_for(page, "client.stats.waiting >= 4")
    line.mend()
    wait_for(page, "client.state === 'online'", 60)
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S


def test_a_token_that_is_not_taken_is_asked_for_again(page, sitting):
    page.evaluate(BEGIN.replace("() => token", "(refused) => (refused ? token : 'old')"), begun(sitting))
    wait_for(page, "client.stats.acked >= 4")
    end(page, sitting)
    assert codes(page) == []


def test_without_a_good_token_everything_is_kept_until_there_is_one(page, sitting):
    page.evaluate("globalThis.token = 'old'")
    page.evaluate(BEGIN.replace("() => token", "() => globalThis.token"), begun(sitting))
    wait_for(page, "told.filter(({ name, state }) => name === 'state' && state === 'connecting').length >= 5", 60)
    wait_for(page, "client.stats.waiting >= 12")
    assert codes(page) == ["sign_in"]
    assert page.evaluate("client.state !== 'closed' && client.stream.active")
    page.evaluate("token => { globalThis.token = token; client.reconnect(); }", sitting.token)
    wait_for(page, "client.state === 'online'", 10)
    times = end(page, sitting)
    assert len(times) >= 5 and max(steps(times)) < LONGEST_STEP_S


def test_a_server_that_is_killed_and_comes_back_misses_nothing(page, sitting, server):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    server.kill()
    wait_for(page, "client.stats.waiting >= 4")
    server.begin()
    wait_for(page, "client.state === 'online' && client.stats.waiting === 0", 60)
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S


def test_where_sockets_are_blocked_everything_goes_by_calls(page, sitting, line):
    line.carries_sockets = False
    begin(page, sitting)
    wait_for(page, "client.state === 'fallback'", 60)
    wait_for(page, "client.stats.acked >= 10")
    page.evaluate("client.report('PASTE', { characters: 3 })")
    times = end(page, sitting)
    assert max(steps(times)) < LONGEST_STEP_S
    assert ("PASTE", {"characters": 3}) in events(sitting)


def test_without_a_socket_the_time_is_right_though_the_own_clock_is_hours_off(page, sitting, line):
    line.carries_sockets = False
    page.evaluate(CLOCK_OFF)
    begin(page, sitting)
    wait_for(page, "client.state === 'fallback'", 60)
    wait_for(page, "client.stats.acked >= 10")
    times = end(page, sitting)
    assert len(times) >= 5 and max(abs(at - time.time()) for at in times) < 120
    occurred = "(julianday(occurred_at) - 2440587.5) * 86400"
    told = rows(sitting, "monitoring_monitoringlog", occurred, "AND source = 'browser'")
    assert told and max(abs(at - time.time()) for (at,) in told) < 120
    assert codes(page) == []


def test_without_a_socket_and_pictures_calls_say_that_somebody_is_there(page, sitting, line):
    line.carries_sockets = False
    begin(page, sitting, sound=False)
    wait_for(page, "client.state === 'fallback'", 60)
    page.evaluate("client.watching.fps = 0")
    wait_until(lambda: len(events(sitting, "ACTIVITY")) >= 2, 40)
    end(page, sitting)


def test_a_page_that_is_loaded_again_sends_what_the_one_before_it_captured(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.cut()
    wait_for(page, "client.outbox.waiting.filter(({ stored }) => stored).length >= 6")
    before = page.evaluate("client.stats.acked")
    waiting = page.evaluate(
        "client.outbox.waiting.filter(({ stored }) => stored).map(({ stream, seq }) => [stream, seq])"
    )
    page.reload()
    page.wait_for_load_state()
    begin(page, sitting)
    wait_for(page, f"client.stats.waiting >= {len(waiting)}")
    line.mend()
    wait_for(page, "client.state === 'online'", 60)
    assert page.evaluate("client.stop({ flush: true })") == {"left": 0}
    assert page.evaluate("client.stats.lost") == 0
    wait_until(lambda: stored(sitting) >= before + page.evaluate("client.stats.acked"))
    times = pictures(sitting)
    assert times == sorted(times)
    found = set(rows(sitting, "monitoring_observation", "stream, seq"))
    assert {(stream, seq) for stream, seq in waiting if stream != "event"} <= found
    assert events(sitting, "TAB_SWITCH", "NETWORK_GAP") == []
    # Nobody switched them off.
    assert sorted(events(sitting, "CAMERA_ON", "MIC_ON")) == [("CAMERA_ON", {"label": "fake_device_0"}), ("MIC_ON", {})]


def test_stopping_on_a_dead_line_keeps_what_could_not_be_sent(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.cut()
    wait_for(page, "client.stats.waiting >= 4")
    left = page.evaluate("client.stop({ flush: true, within: 8000 })")["left"]
    assert left >= 4
    assert page.evaluate("client.stream.active") is False
    assert len(kept(page)) == left
    line.mend()
    begin(page, sitting)
    wait_for(page, f"client.stats.acked >= {left}")
    assert page.evaluate("client.stop({ flush: true })") == {"left": 0}
    assert kept(page) == []


def test_all_that_waits_is_sent_before_it_stops_however_long_that_takes(page, sitting, line):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    line.cut()
    wait_for(page, "client.state === 'offline'")
    page.evaluate("for (let number = 0; number < 90; number += 1) client.report('ACTIVITY', { number })")
    line.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_for(page, "client.state === 'online'")
    page.evaluate("""globalThis.shown = [];
        client.addEventListener("stats", ({ detail }) => client.stopping && shown.push(detail.waiting))""")
    assert page.evaluate("client.stop({ flush: true, within: 1500 })") == {"left": 0}
    shown = page.evaluate("shown")
    assert len(shown) >= 2 and shown == sorted(shown, reverse=True), "a page can show how much is left"
    stats = page.evaluate("client.stats")
    assert stats["acked"] > 90 and stats["lost"] == 0
    wait_until(lambda: stored(sitting) == stats["acked"])


def test_what_a_server_that_answers_does_not_take_is_told_as_a_gap(page, sitting):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    page.evaluate("Object.assign(client.delivery.heldUntil, { frame: Infinity, audio: Infinity })")
    wait_for(page, "client.stats.waiting >= 4")
    left = page.evaluate("client.stop({ flush: true, within: 1000 })")["left"]
    assert left >= 4
    [(_kind, detail)] = events(sitting, "NETWORK_GAP")
    assert detail["reason"] == "not_taken" and detail["seconds"] >= 1


def test_what_is_no_longer_wanted_is_removed_from_the_machine(page, sitting, line):
    line.cut()
    begin(page, sitting)
    wait_for(page, "client.stats.waiting >= 4")
    assert page.evaluate("client.stop()")["left"] == len(kept(page)) >= 4
    page.evaluate("client.forget()")
    assert kept(page) == []


def kept(page):
    """Return what is kept on the candidate's machine."""
    script = "m.openStorage('indexeddb').then((storage) => storage.list(client.options.session))"
    return imported(page, "storage", script)


# --- what the server decides ------------------------------------------------------------------------------------------


def test_nothing_is_captured_during_a_pause(page, sitting):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    sitting.move("paused")
    wait_for(page, "client.status === 'paused'")
    page.evaluate("client.report('COPY', { characters: 1 })")
    wait_until(lambda: ("COPY", {"characters": 1}) in events(sitting))
    before = page.evaluate(CAPTURED)
    for _seconds in range(0, 6, 2):
        page.evaluate("new Promise((resolve) => client.addEventListener('stats', resolve, { once: true }))")
    assert page.evaluate(CAPTURED) == before
    sitting.move("active")
    wait_for(page, f"client.stats.acked > {before} + 3")
    end(page, sitting)


def test_a_session_that_is_over_switches_everything_off(page, sitting):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    sitting.move("terminated")
    wait_for(page, "client.state === 'closed' && !client.stream.active")
    assert told(page, "state")[-1]["code"] == wire.Close.ENDED


def test_a_session_that_is_over_is_noticed_without_a_socket(page, sitting, line):
    line.carries_sockets = False
    begin(page, sitting)
    wait_for(page, "client.state === 'fallback'", 60)
    sitting.move("terminated")
    wait_for(page, "client.state === 'closed' && !client.stream.active", 40)
    assert told(page, "state")[-1]["code"] == wire.Close.ENDED


def test_the_newer_of_two_pages_takes_over_and_the_older_is_told(page, sitting):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    page.evaluate("void (client.storage.clear = async () => { globalThis.hasCleared = true; })")
    other = page.context.new_page()
    other.goto(page.url)
    begin(other, sitting)
    wait_for(page, "client.state === 'closed' && !client.stream.active")
    assert told(page, "state")[-1]["code"] == wire.Close.TAKEN_OVER
    assert page.evaluate("client.stop()") == {"left": 0}
    assert not page.evaluate("globalThis.hasCleared"), "what the other page keeps is its own"
    before = len(pictures(sitting))
    wait_until(lambda: len(pictures(sitting)) > before + 2)
    assert other.evaluate("client.stop({ flush: true })") == {"left": 0}
    wait_until(lambda: stored(sitting) == page.evaluate("client.stats.acked") + other.evaluate("client.stats.acked"))


# --- a hidden tab -----------------------------------------------------------------------------------------------------


def test_a_hidden_tab_goes_on_and_says_that_it_is_hidden(page, sitting):
    begin(page, sitting)
    wait_for(page, "client.stats.acked >= 4")
    page.context.new_page()
    wait_for(page, "document.visibilityState === 'hidden'")
    hidden_at = time.time()
    wait_until(lambda: sum(at > hidden_at for at in pictures(sitting)) >= 6)
    times = end(page, sitting)
    assert [kind for kind, _detail in events(sitting, "TAB_SWITCH", "WINDOW_BLUR")] == ["TAB_SWITCH"]
    assert max(steps(times)) < LONGEST_STEP_S


# --- the parts that need no server ------------------------------------------------------------------------------------


def imported(page, module, script):
    """Return what the script makes of a module, which it has as ``m``."""
    return page.evaluate(f"import('/static/proctor/{module}.js').then(async (m) => {script})")


def test_the_header_is_the_one_that_the_server_reads(page):
    script = """[...new Uint8Array(m.encodeBinary(
        { stream: "audio", seq: 2 ** 52 + 1, data: new Uint8Array([7, 8]).buffer }, 1790000000123.4))]"""
    item = wire.read_binary(bytes(imported(page, "wire", script)))
    assert (item.stream, item.seq, item.data, item.rate) == ("audio", 2**52 + 1, b"\x07\x08", 0)
    assert item.captured_at == pytest.approx(1790000000.123, abs=1e-6)


def test_an_event_is_the_message_that_the_server_reads(page):
    script = 'm.encodeEvent({ seq: 5, event: "COPY", detail: { characters: 3 } }, 1790000000123.4)'
    message = wire.read_text(imported(page, "wire", script))
    assert message == wire.SendEvent("COPY", 5, 1790000000123, None, {"characters": 3})


def test_sound_is_a_wav_file(page):
    written = bytes(imported(page, "wire", "[...new Uint8Array(m.wavOf(new Int16Array([0, 5, -5]), 16000))]"))
    with wave.open(io.BytesIO(written)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (16000, 1, 2, 3)
        assert file.readframes(3) == b"\x00\x00\x05\x00\xfb\xff"


def test_the_servers_time_is_believed_whatever_the_own_clock_says(page):
    script = """{
      const own = { wall: 7_200_000, steady: 0 };
      const clock = new m.ServerClock({ wall: () => own.wall, steady: () => own.steady });
      const item = { at: clock.now(), offset: clock.offset };
      for (const [rtt, time] of [[400, 1300], [20, 1510]]) {
        const sent = own.steady;
        own.steady += rtt;
        own.wall += rtt;
        clock.learn(sent, time);
      }
      const before = clock.correct(item);
      own.wall += 60_000;
      return [before, clock.offset];
    }"""
    corrected, offset = imported(page, "server-clock", script)
    assert corrected == pytest.approx(1100, abs=1)
    assert offset is None


def test_waiting_times_double_up_to_a_limit_and_are_drawn_by_lot(page):
    script = """{
      const most = new m.Backoff({ first: 1000, most: 8000, random: () => 1 });
      const least = new m.Backoff({ random: () => 0 });
      const drawn = Array.from({ length: 5 }, () => most.next());
      most.reset();
      return [drawn, most.next(), least.next()];
    }"""
    assert imported(page, "pace", script) == [[1000, 2000, 4000, 8000, 8000], 1000, 100]


def test_a_busy_server_gets_fewer_pictures(page):
    intervals = imported(page, "pace", "[0, 5, 6, 8, 10].map((load) => m.pictureInterval(2, load))")
    assert intervals == [500, 500, 750, 1000, 1500]


def test_what_is_thinned_still_covers_the_whole_time(page):
    script = "m.thinEvenly(Array.from({ length: 101 }, (_, at) => ({ at })), 11).map(({ at }) => at)"
    assert imported(page, "outbox", script) == list(range(0, 101, 10))


OUTBOX = """{
  const { MemoryStorage } = await import("/static/proctor/storage.js");
  const clock = { time: 1000, now() { return this.time; }, steady() { return this.time; }, offset: 0 };
  const gaps = [];
  const storage = new MemoryStorage();
  const outbox = new m.Outbox({ session: "s", storage, clock, onGap: (...gap) => gaps.push(gap), limits: LIMITS });
  const add = (at, bytes = 10) => outbox.add("frame", { at, data: new ArrayBuffer(bytes) });
  const times = () => outbox.waiting.map(({ at }) => at);
  SCRIPT
}"""


def outbox(page, script, limits="{}"):
    return imported(page, "outbox", OUTBOX.replace("SCRIPT", script).replace("LIMITS", limits))


def test_numbers_begin_with_the_time_and_below_those_of_the_server(page):
    first, second = outbox(page, "return [add(1).seq, add(2).seq];")
    assert (first, second) == (100_000, 100_001)
    assert outbox(page, "outbox.raise({ frame: 500000 }); return add(1).seq;") == 500_001
    now = imported(page, "outbox", "Math.round(Date.now()) * 100")
    assert now < 10**15


def test_it_knows_up_to_where_everything_was_acknowledged(page):
    script = """
      for (const at of [1, 2, 3]) add(at);
      const taken = [await outbox.take(), await outbox.take()];
      outbox.acked("frame", taken[1].seq);
      const before = outbox.lastAcked.frame;
      outbox.acked("frame", taken[0].seq);
      return [before, outbox.lastAcked.frame, outbox.length];"""
    assert outbox(page, script) == [99_999, 100_001, 1]


def test_what_arrived_though_the_line_broke_is_not_sent_again(page):
    script = """
      add(1);
      const item = await outbox.take();
      outbox.allAgain();
      const waiting = outbox.length;
      outbox.acked("frame", item.seq);
      return [waiting, outbox.length, outbox.bytes, outbox.counts.acked];"""
    assert outbox(page, script) == [1, 0, 0, 1]


def test_too_many_pictures_are_thinned_and_what_is_lost_whole_is_told(page):
    script = "for (let at = 0; at < 40; at += 1) add(at, 100); return [times().length, outbox.bytes, gaps.length];"
    count, size, gaps = outbox(page, script, "{ bytes: 1000 }")
    assert count <= 10 and size <= 1000 and gaps == 0
    script = """for (let at = 0; at < 20; at += 1) outbox.add("audio", { at, data: new ArrayBuffer(100) });
      return [times(), gaps];"""
    times, gaps = outbox(page, script, "{ bytes: 1000 }")
    assert times[-1] == 19 and times[0] == gaps[-1][1] + 1 and gaps[0][0] == 0
