"""What the live wall knows of its sessions, by itself, in a real browser and without a server behind it."""

import threading
from functools import partial
from http.server import ThreadingHTTPServer

import pytest

from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.test_client_units import Quiet
from monitoring.tests.test_server import ROOT

pytest.importorskip("playwright", reason="playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
BEGIN = """async () => {
  Object.assign(globalThis, await import("/static/monitoring/wall-sessions.js"));
  const NOW = Date.parse("2026-03-02T09:00:00Z");
  globalThis.NOW = NOW;
  globalThis.at = (seconds) => new Date(NOW + 1000 * seconds).toISOString();
  globalThis.row = (id, more = {}) => ({
    id, candidate: id, status: "active", risk_score: 0, risk_level: "Low", connected: true, last_seen: at(0),
    newest: null, people: 1, sound_db: null, ongoing: more.newest?.ended_at === null ? [more.newest] : [], ...more,
  });
  globalThis.activity = (id, severity, began, ended) => ({
    id, kind: id, label: id, severity, started_at: at(began), ended_at: ended === null ? null : at(ended),
  });
  globalThis.ALL = { name: "", level: "", state: "", quiet: false };
  globalThis.hall = (...rows) => {
    const sessions = new Sessions();
    sessions.takeAll(rows, NOW);
    return sessions;
  };
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=ROOT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with chromium(tmp_path_factory.mktemp("chromium")) as window:
        window.pages[0].goto(f"http://127.0.0.1:{server.server_address[1]}/")
        window.pages[0].evaluate(BEGIN)
        yield window.pages[0]
    server.shutdown()


def test_what_goes_on_and_is_grave_comes_first_and_what_is_over_last(page):
    order = page.evaluate("""() => {
      const sessions = hall(
        row("calm"),
        row("medium", { risk_level: "Medium", risk_score: 6 }),
        row("away", { connected: false }),
        row("phone", { newest: activity("PHONE", 3, -20, null) }),
        row("looks", { newest: activity("LOOKING_AWAY", 1, -5, null) }),
        row("high", { risk_level: "High", risk_score: 12 }),
        row("alone", { people: 0 }),
        row("done"),
      );
      sessions.take(row("done", { status: "submitted" }), NOW);
      return ordered(sessions, ALL, NOW);
    }""")
    assert order == ["phone", "high", "looks", "medium", "away", "alone", "calm", "done"]


def test_what_has_ended_is_forgotten_within_minutes(page):
    assert page.evaluate("""() => {
      const sessions = hall(row("a", { newest: activity("PHONE", 3, -30, -20) }));
      const one = sessions.all.get("a");
      return [one.isQuiet(NOW), one.isQuiet(NOW + 130_000)];
    }""") == [False, True]


def test_several_things_go_on_until_each_has_ended(page):
    shown = page.evaluate("""() => {
      const sessions = hall(row("a"));
      const one = sessions.all.get("a");
      const shown = () => [one.shown?.id ?? null, one.ongoing.size];
      const seen = [shown()];
      const told = [["PHONE", 3, -9, null], ["NO_FACE", 1, -5, null], ["PHONE", 3, -9, -1], ["NO_FACE", 1, -5, -1]];
      for (const news of told) {
        sessions.note("a", activity(...news));
        seen.push(shown());
      }
      return seen;
    }""")
    assert shown == [[None, 0], ["PHONE", 1], ["PHONE", 2], ["NO_FACE", 1], ["NO_FACE", 0]]


def test_what_went_on_before_something_shorter_goes_on_with_the_next_wall(page):
    assert page.evaluate("""() => {
      const silent = activity("CAMERA_SILENT", 3, -60, null);
      const looked = row("a", { newest: activity("LOOKING_AWAY", 1, -9, -2), ongoing: [silent] });
      const sessions = hall(looked);
      sessions.takeAll([looked], NOW);
      const one = sessions.all.get("a");
      return [one.shown.id, one.ongoing.size, one.isQuiet(NOW)];
    }""") == ["CAMERA_SILENT", 1, False]


def test_an_activity_whose_end_was_missed_ends_with_the_next_wall(page):
    assert page.evaluate("""() => {
      const sessions = hall(row("a", { newest: activity("PHONE", 3, -9, null) }));
      sessions.takeAll([row("a", { newest: activity("PHONE", 3, -9, -2) })], NOW);
      return sessions.all.get("a").ongoing.size;
    }""") == 0


def test_a_session_that_is_over_stays_for_a_moment_and_one_that_was_never_there_does_not_come(page):
    assert page.evaluate("""() => {
      const sessions = hall(row("a"), row("b"));
      sessions.take(row("a", { status: "terminated" }), NOW);
      sessions.take(row("stranger", { status: "submitted" }), NOW);
      sessions.takeAll([row("b")], NOW + 1000);
      const before = [...sessions.all.keys()];
      sessions.forgetOver(NOW + 60_000);
      return [before, [...sessions.all.keys()]];
    }""") == [["a", "b"], ["b"]]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"name": "AD"}, ["ada"]),
        ({"level": "High"}, ["bo"]),
        ({"state": "paused"}, ["cy"]),
        ({"state": "away"}, ["di"]),
        ({"state": "checking"}, ["ed"]),
        ({"state": "going"}, ["ada"]),
        ({"quiet": True}, ["ada", "bo", "di"]),
        ({"name": "o", "level": "Low"}, []),
    ],
)
def test_filters_find_what_they_say(page, wanted, found):
    script = """(wanted) => ordered(hall(
      row("ada", { newest: activity("NO_FACE", 1, -9, null) }),
      row("bo", { risk_level: "High", risk_score: 11 }),
      row("cy", { status: "paused", risk_level: "Medium", risk_score: 6 }),
      row("di", { connected: false }),
      row("ed", { status: "checking_in", connected: false }),
    ), { ...ALL, ...wanted }, NOW).sort()"""
    assert page.evaluate(script, wanted) == found


def test_sessions_about_as_urgent_keep_their_places(page):
    assert page.evaluate("""() => {
      const orders = [0, 1000, 2000].map((later) => ordered(hall(
        row("b", { newest: activity("COPY", 1, -40, -40) }), row("a", { newest: activity("COPY", 1, -38, -38) }),
      ), ALL, NOW + later).join());
      return new Set(orders).size;
    }""") == 1


def test_the_session_under_the_mouse_stays_where_it_is(page):
    assert page.evaluate("() => withPinned(['a', 'b', 'c', 'd'], ['d', 'c', 'b', 'a'], 'b')") == ["d", "b", "c", "a"]
    assert page.evaluate("() => withPinned(['a', 'b'], ['b'], 'a')") == ["b"]


def test_as_many_as_can_stay_do_and_they_are_in_order(page):
    longest, is_in_order = page.evaluate("""() => {
      const before = Array.from({ length: 40 }, (_, n) => `s${n}`);
      const after = [...before].sort((a, b) => ((a.slice(1) * 17) % 41) - ((b.slice(1) * 17) % 41));
      const places = after.map((id) => before.indexOf(id));
      const best = places.map(() => 1); // the longest run by trying all
      places.forEach((place, n) => {
        for (let m = 0; m < n; m += 1) if (places[m] < place) best[n] = Math.max(best[n], best[m] + 1);
      });
      const stay = staying(before, after);
      const kept = after.filter((id) => stay.has(id)).map((id) => before.indexOf(id));
      const isInOrder = kept.every((place, n) => n === 0 || kept[n - 1] < place);
      return [[Math.max(...best), stay.size], isInOrder];
    }""")
    assert longest[0] == longest[1] > 1
    assert is_in_order
    assert page.evaluate("() => [...staying(['a', 'b', 'c'], ['c', 'a', 'b', 'new'])].sort()") == ["a", "b"]
