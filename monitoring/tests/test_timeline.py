"""The picture of a session over time."""

from xml.etree import ElementTree as ET

import pytest

from monitoring.timeline import Bar, Lane, Stretch, Timeline, clock, draw, examined_stretches, gaps_between

SVG = "{http://www.w3.org/2000/svg}"


def timeline(*bars: Bar, label: str = "Phone", duration_s: float = 100.0, examined=()) -> Timeline:
    lanes = (Lane(label, bars),) if bars else ()
    return Timeline(duration_s=duration_s, examined=examined or (Stretch(0, duration_s),), lanes=lanes)


def bars_of(svg: str) -> list[ET.Element]:
    return [rect for rect in ET.fromstring(svg).iter(f"{SVG}rect") if "tl-bar" in rect.get("class", "")]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00"), (-1, "0:00")]
)
def test_it_writes_time_into_the_session(seconds, text):
    assert clock(seconds) == text


def test_it_lets_a_picture_stand_until_the_next_but_not_over_a_gap():
    moments = [(0.0, True), (1.0, True), (2.0, True), (20.0, True), (21.0, False), (30.0, True)]
    found = examined_stretches(moments, max_gap_s=5, end_s=32)
    assert found == (Stretch(0, 7), Stretch(20, 21), Stretch(30, 32))
    assert gaps_between(found, 32) == (Stretch(7, 20), Stretch(21, 30))


def test_it_has_one_gap_where_nothing_was_examined():
    assert examined_stretches([(1.0, False)], max_gap_s=5, end_s=10) == ()
    assert gaps_between((), 10) == (Stretch(0.0, 10),)


def test_it_escapes_every_text():
    evil = '<script>alert("x")</script>&'
    svg = draw(timeline(Bar(1, 2, 1, evil, link='"><b>'), label=evil), description=evil)
    assert "<script" not in svg
    assert "<b>" not in svg
    assert ET.fromstring(svg).get("aria-label") == evil


def test_it_draws_the_same_timeline_in_the_same_way():
    one = timeline(Bar(1, 2, 3, "a"), Bar(50, 60, 1, "b", dismissed=True))
    assert draw(one, description="x") == draw(one, description="x")


def test_it_tells_severity_by_height_and_dismissal_by_a_hollow_bar():
    svg = draw(timeline(Bar(1, 2, 1, "a"), Bar(10, 20, 3, "b"), Bar(30, 40, 3, "c", dismissed=True)), description="x")
    low, high, dismissed = bars_of(svg)
    assert float(low.get("height", 0)) < float(high.get("height", 0))
    assert high.get("fill") != "none"
    assert dismissed.get("fill") == "none"
    assert dismissed.get("stroke-dasharray")


@pytest.mark.parametrize("duration_s", [0.0, 0.4, 100.0, 5 * 3600.0])
def test_it_keeps_every_bar_inside_the_picture_and_wide_enough_to_hit(duration_s):
    svg = draw(
        timeline(Bar(0, 0, 1, "a"), Bar(duration_s, duration_s + 9, 2, "b"), duration_s=duration_s), description=""
    )
    for bar in bars_of(svg):
        x, width = float(bar.get("x", -1)), float(bar.get("width", 0))
        assert x >= 0
        assert width >= 4
        assert x + width <= 1000


def test_it_says_so_when_there_is_nothing_to_draw():
    assert "No suspicious activity" in draw(timeline(), description="x")


def test_it_links_each_bar_to_its_activity():
    root = ET.fromstring(draw(timeline(Bar(1, 2, 1, "Phone at 0:01", link="#activity-1")), description="x"))
    (link,) = root.iter(f"{SVG}a")
    assert (link.get("href"), link.get("aria-label")) == ("#activity-1", "Phone at 0:01")


def test_it_shortens_a_name_that_is_too_long():
    svg = draw(timeline(Bar(1, 2, 1, "a"), label="K" * 200), description="x")
    assert "K" * 40 not in svg
    assert "…" in svg
