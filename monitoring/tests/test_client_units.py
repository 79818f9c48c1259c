"""Parts of the candidate's library by themselves, in a real browser and without a server behind them."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.test_server import ROOT

pytest.importorskip("playwright", reason="playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
LINE = """async () => {
  const from = (name) => import(`/static/proctor/${name}.js`);
  const [{ Delivery }, { Outbox }, { MemoryStorage }, { HttpError }, { ServerClock }] =
    await Promise.all(["delivery", "outbox", "storage", "http", "server-clock"].map(from));
  const own = { ms: 1_000_000 };
  const clock = new ServerClock({ wall: () => own.ms, steady: () => own.ms });
  const told = { gaps: [], refused: [], calls: [] };
  const onGap = (...gap) => told.gaps.push(gap);
  const outbox = new Outbox({ session: "s", storage: new MemoryStorage(), clock, onGap });
  const server = { takes: () => "" };
  const call = async (items, at) => {
    told.calls.push(items.map(({ seq }) => seq));
    const why = items.map((item) => server.takes(item, at)).find(Boolean);
    if (why) throw new HttpError({ queue_full: 429, server_error: 500, wrong_state: 409 }[why] ?? 400, why, "words");
    return {};
  };
  const calls = { media: (item, at) => call([item], at), events: (items) => call(items) };
  const onRefused = ({ code }) => told.refused.push(code);
  const delivery = new Delivery({ outbox, clock, calls, onLatency() {}, onLoad() {}, onRefused });
  const add = (stream, bytes = 1000) =>
    outbox.add(stream, stream === "event" ? { event: "COPY", detail: {} } : { data: new ArrayBuffer(bytes) });
  const sent = [];
  const socket = { readyState: WebSocket.OPEN, bufferedAmount: 0, send: (data) => sent.push(data) };
  const answer = ({ stream, seq, ...item }) => {
    const code = server.takes({ stream, seq, ...item }, clock.correct(item));
    if (code) delivery.failed({ code, stream, seq });
    else delivery.acked({ stream, seq });
    return code;
  };
  const bySocket = async () => {
    await delivery.pump(socket);
    return [...outbox.inFlight.values()].map(answer);
  };
  const byCalls = async () => {
    const before = told.calls.length;
    while (await delivery.post().catch(() => false));
    return told.calls.slice(before);
  };
  const left = (stream) => outbox.waiting.filter((entry) => entry.stream === stream).length;
  SCRIPT
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Gives out the files, and an empty page for all else."""

    def do_GET(self):
        if self.path.startswith("/static/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=ROOT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with chromium(tmp_path_factory.mktemp("chromium")) as window:
        window.pages[0].goto(f"http://127.0.0.1:{server.server_address[1]}/")
        yield window.pages[0]
    server.shutdown()
    server.server_close()


def on_line(page, script):
    return page.evaluate(LINE.replace("SCRIPT", script))


# --- a full queue -----------------------------------------------------------------------------------------------------
TWO_MINUTES = """
  server.takes = ({ stream }) => (stream === "audio" ? "queue_full" : "");
  let tries = 0;
  for (let step = 0; step < 600; step += 1) {
    own.ms += 200;
    if (step % 5 === 0) add("frame", 40_000);
    if (step % 20 === 0) add("audio", 128_044);
    if (step % 50 === 0) add("event");
    const refused = await GO();
    tries += refused.length;
  }
  const refused = [tries, left("frame"), left("event"), left("audio")];
  server.takes = () => "";
  for (let step = 0; step < 600; step += 1) {
    own.ms += 200;
    await GO();
  }
  return [...refused, outbox.length, outbox.counts.lost, told.refused.length];"""


@pytest.mark.parametrize("way", ["bySocket", "byCalls"])
def test_a_full_queue_of_sound_stops_no_picture(page, way):
    tries, frames, events, sounds, *after = on_line(page, TWO_MINUTES.replace("GO", way))
    assert (frames, events, sounds) == (0, 0, 30)
    assert tries < 200  # 132 of them are taken; more refusals would look like a flood
    assert after == [0, 0, 0]


NOT_BEGUN = """
  server.takes = () => "wrong_state";
  let tries = 0;
  for (let step = 0; step < 300; step += 1) {
    own.ms += 200;
    if (step % 5 === 0) add("event");
    tries += (await GO()).length;
  }
  server.takes = () => "";
  delivery.release();
  for (let step = 0; step < 300; step += 1) {
    own.ms += 200;
    await GO();
  }
  return [tries, outbox.length, outbox.counts.lost];"""


@pytest.mark.parametrize("way", ["bySocket", "byCalls"])
def test_what_comes_before_the_beginning_is_tried_now_and_then_and_arrives_later(page, way):
    tries, *after = on_line(page, NOT_BEGUN.replace("GO", way))
    assert 6 <= tries <= 7 * 16  # every ten seconds no more than goes at once; more would look like a flood
    assert after == [0, 0]


# --- what is given up -------------------------------------------------------------------------------------------------


def test_no_answer_is_no_refusal(page):
    script = """
      add("frame");
      for (let turn = 0; turn < 10; turn += 1) {
        await delivery.pump(socket);
        own.ms += 16_000;
      }
      return [sent.length, outbox.length, outbox.counts.lost];"""
    assert on_line(page, script) == [10, 1, 0]


def test_an_item_at_which_the_server_stumbles_is_kept_and_holds_up_no_other(page):
    script = """
      const bad = add("frame").seq;
      let stumbled = 0;
      server.takes = ({ seq }) => (seq === bad ? "server_error" : "");
      for (let step = 0; step < 600; step += 1) {
        own.ms += 200;
        if (step % 5 === 0) add("frame");
        stumbled += (await bySocket()).filter(Boolean).length;
      }
      const waiting = outbox.waiting.length;
      server.takes = () => "";
      own.ms += 60_000;
      await bySocket();
      return [stumbled, waiting <= 5, outbox.length, outbox.counts.lost];"""
    stumbled, are_few, *rest = on_line(page, script)
    assert 4 < stumbled < 10
    assert [are_few, *rest] == [True, 0, 0]


@pytest.mark.parametrize("way", ["bySocket", "byCalls"])
def test_what_is_never_taken_is_told(page, way):
    script = """
      add("frame");
      server.takes = () => "bad_image";
      for (let step = 0; step < 9; step += 1) {
        own.ms += 1000;
        await GO();
      }
      return [outbox.length, outbox.counts.lost, told.refused];"""
    assert on_line(page, script.replace("GO", way)) == [0, 1, ["bad_image"]]


def test_one_event_at_which_the_server_stumbles_holds_up_no_other(page):
    script = """
      const [, bad] = [add("event"), add("event"), add("event")];
      server.takes = ({ seq }) => (seq === bad.seq ? "server_error" : "");
      for (let step = 0; step < 9; step += 1) {
        own.ms += 1000;
        await byCalls();
      }
      return [outbox.counts.acked, outbox.length, outbox.counts.lost];"""
    assert on_line(page, script) == [2, 1, 0]


def test_one_bad_event_takes_no_other_with_it(page):
    script = """
      const [, bad] = [add("event"), add("event"), add("event")];
      server.takes = ({ seq }) => (seq === bad.seq ? "invalid" : "");
      for (let step = 0; step < 9; step += 1) {
        own.ms += 1000;
        await byCalls();
      }
      return [outbox.counts.acked, outbox.counts.lost, told.refused, told.calls.length];"""
    assert on_line(page, script) == [2, 1, ["invalid"], 4]


def test_what_the_disk_lost_is_told_as_a_gap(page):
    script = """
      const { at } = add("frame");
      outbox.waiting[0].data = null;
      return [await outbox.take(), told.gaps, at];"""
    taken, gaps, at = on_line(page, script)
    assert (taken, gaps) == (None, [[at, at]])


# --- the server's time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["bySocket", "byCalls"])
def test_a_wrong_time_is_no_fault_while_the_servers_is_not_known(page, way):
    script = """
      server.takes = (_item, at) => (Math.abs(at - own.ms + 7_200_000) < 60_000 ? "" : "bad_captured_at");
      add("frame");
      for (let step = 0; step < 20; step += 1) {
        own.ms += 1000;
        await GO();
      }
      const before = [outbox.length, outbox.counts.lost];
      clock.learn(own.ms, own.ms - 7_200_000);
      for (let step = 0; step < 60; step += 1) {
        own.ms += 200;
        await GO();
      }
      const known = [outbox.length, outbox.counts.lost, told.refused.length];
      server.takes = () => "bad_captured_at";
      add("frame");
      own.ms += 1000;
      await GO();
      return [before, known, [outbox.length, outbox.counts.lost, told.refused]];"""
    assert on_line(page, script.replace("GO", way)) == [[1, 0], [0, 0, 0], [0, 1, ["bad_captured_at"]]]


# --- what stays on the machine ----------------------------------------------------------------------------------------


def test_notes_of_sessions_that_left_nothing_else_are_forgotten_too(page):
    script = """async () => {
      const { IndexedDbStorage } = await import("/static/proctor/storage.js");
      const day = 24 * 3600 * 1000;
      const right = Date.now;
      const storage = await IndexedDbStorage.open();
      await storage.note("new", {});
      await storage.put("live", [{ stream: "frame", seq: 1, at: right(), data: new ArrayBuffer(1) }]);
      Date.now = () => right() - day - 60_000;
      for (const session of ["old", "live"]) await storage.note(session, {});
      Date.now = right;
      storage.close();
      const again = await IndexedDbStorage.open();
      const noted = await Promise.all(["old", "live", "new"].map((session) => again.noted(session)));
      again.close();
      return noted.map(Boolean);
    }"""
    assert page.evaluate(script) == [False, True, True]
