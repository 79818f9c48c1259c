"""The picture of a session over time: one lane per kind of activity, as data and as SVG; pure.

The same picture is used on the reviewer's page and in the PDF. Every shape carries a class, for the page's style
sheet, and a plain attribute that looks right on paper, where no style sheet reaches it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from django.utils.translation import gettext as _

WIDTH, RIGHT = 1000, 18
TOP, LANE, AXIS = 8, 28, 26
LOOKED_AT = 20
LETTER = 7.1
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_TICKS = 10
LABEL_LENGTH = 26
HEIGHTS = {1: 8, 2: 14, 3: 20}
COLOURS = {1: "#5b7c99", 2: "#c77700", 3: "#b3261e"}
INK, QUIET, RULE, SEEN = "#1b1f24", "#59636e", "#d0d7de", "#3f8f5f"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the session, in seconds from its start."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One activity: ``severity`` 1 to 3, ``dismissed`` by a reviewer, ``title`` for the pointer, ``link`` to more."""

    start_s: float
    end_s: float
    severity: int
    title: str
    link: str = ""
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """All activities of one kind."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A session of ``duration_s`` seconds: what was examined, and its lanes from top to bottom."""

    duration_s: float
    examined: tuple[Stretch, ...]
    lanes: tuple[Lane, ...]


def examined_stretches(moments: Iterable[tuple[float, bool]], *, max_gap_s: float, end_s: float) -> tuple[Stretch, ...]:
    """Join moments in order, as (seconds, examined); each stands until the next, for ``max_gap_s`` at most."""
    stretches: list[Stretch] = []
    pending: float | None = None
    for at, examined in [*moments, (end_s, False)]:
        if pending is not None:
            _extend(stretches, Stretch(pending, min(at, pending + max_gap_s, end_s)))
        pending = at if examined else None
    return tuple(stretches)


def _extend(stretches: list[Stretch], new: Stretch) -> None:
    if new.end_s <= new.start_s:
        return
    if stretches and new.start_s - stretches[-1].end_s < 0.001:
        stretches[-1] = Stretch(stretches[-1].start_s, max(stretches[-1].end_s, new.end_s))
    else:
        stretches.append(new)


def gaps_between(stretches: Sequence[Stretch], end_s: float) -> tuple[Stretch, ...]:
    """Return what lies between the stretches, from 0 to ``end_s``."""
    gaps, reached = [], 0.0
    for stretch in (*stretches, Stretch(end_s, end_s)):
        if stretch.start_s - reached > 0.001:
            gaps.append(Stretch(reached, stretch.start_s))
        reached = max(reached, stretch.end_s)
    return tuple(gaps)


def clock(seconds: float) -> str:
    """Return time into the session as ``m:ss``, from an hour on ``h:mm:ss``."""
    whole = max(0, int(seconds + 0.5))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def draw(timeline: Timeline, *, description: str, width: int = WIDTH) -> str:
    """Return the timeline as one SVG element of ``width`` units, letters being 13 high; the words are the reader's."""
    return _Drawing(timeline, width).svg(description)


_PATTERN = (
    '<defs><pattern id="unexamined" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="tl-gap-ground" width="7" height="7" fill="#eceff2"/>'
    '<line class="tl-gap-line" x1="0" y1="0" x2="0" y2="7" stroke="#a3adb8" stroke-width="2"/></pattern></defs>'
)


class _Drawing:
    """Where things lie in one picture of a timeline."""

    def __init__(self, timeline: Timeline, width: int) -> None:
        self.timeline, self.duration_s = timeline, timeline.duration_s
        longest = max((len(_shortened(lane.label)) for lane in timeline.lanes), default=0)
        self.left = 16 + LETTER * max(longest, len(_shortened(_("Examined"))))
        self.right = width - RIGHT
        self.width = width
        self.bottom = TOP + LOOKED_AT + LANE * max(1, len(timeline.lanes))

    def svg(self, description: str) -> str:
        opening = (
            f'<svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.bottom + AXIS}" '
            f'role="group" aria-label={quoteattr(description)} font-family="Noto Sans, sans-serif" font-size="13">'
        )
        parts = [
            opening,
            _PATTERN,
            *self._axis(),
            *self._background(),
            *(part for row, lane in enumerate(self.timeline.lanes) for part in self._lane(row, lane)),
            *([] if self.timeline.lanes else [self._empty()]),
            "</svg>",
        ]
        return "".join(parts)

    def _x(self, seconds: float) -> float:
        share = seconds / self.duration_s if self.duration_s > 0 else 0.0
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def _axis(self) -> list[str]:
        step = next((step for step in STEPS_S if self.duration_s / step <= MOST_TICKS), STEPS_S[-1])
        parts = []
        for tick in range(int(self.duration_s // step) + 1):
            x = self._x(tick * step)
            parts.append(
                f'<line class="tl-rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{self.bottom}" stroke="{RULE}"/>'
                f'<text class="tl-quiet" x="{x:.1f}" y="{self.bottom + 17}" text-anchor="middle" fill="{QUIET}">'
                f"{clock(tick * step)}</text>"
            )
        parts.append(self._horizontal("tl-base", self.bottom, QUIET))
        return parts

    def _horizontal(self, css: str, y: float, colour: str) -> str:
        return f'<line class="{css}" x1="{self.left:.1f}" x2="{self.right}" y1="{y:g}" y2="{y:g}" stroke="{colour}"/>'

    def _background(self) -> list[str]:
        """The row that says what was examined, and hatching over every lane where nothing was."""
        parts = [self._label(_("Examined"), TOP + 6.5, "tl-quiet", QUIET)]
        seen, unseen = f'class="tl-seen" rx="2" fill="{SEEN}"', 'fill="url(#unexamined)"'
        gaps = gaps_between(self.timeline.examined, self.duration_s)
        parts += [
            self._stretch(item, _("Examined %(start)s to %(end)s"), seen, TOP + 3, 7) for item in self.timeline.examined
        ]
        parts += [
            self._stretch(gap, _("Not examined %(start)s to %(end)s"), unseen, TOP, self.bottom - TOP) for gap in gaps
        ]
        return parts

    def _stretch(self, stretch: Stretch, what: str, look: str, y: float, height: float) -> str:
        x = self._x(stretch.start_s)
        width = max(0.5, self._x(stretch.end_s) - x)
        title = escape(what % {"start": clock(stretch.start_s), "end": clock(stretch.end_s)})
        return (
            f'<rect {look} x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}"><title>{title}</title></rect>'
        )

    def _lane(self, row: int, lane: Lane) -> list[str]:
        middle = TOP + LOOKED_AT + LANE * row + LANE / 2
        line = self._horizontal("tl-rule", middle, RULE)
        return [line, self._label(lane.label, middle, "tl-ink", INK), *(self._bar(bar, middle) for bar in lane.bars)]

    def _label(self, text: str, middle: float, css: str, colour: str) -> str:
        return (
            f'<text class="{css}" x="{self.left - 12:.1f}" y="{middle + 4.5:g}" text-anchor="end" fill="{colour}">'
            f"{escape(_shortened(text))}</text>"
        )

    def _bar(self, bar: Bar, middle: float) -> str:
        """A bar is the taller the graver; one that a reviewer dismissed is hollow and dashed."""
        x = self._x(bar.start_s)
        width = max(4.0, self._x(bar.end_s) - x)
        x = min(x, self.right - width)
        height = HEIGHTS.get(bar.severity, HEIGHTS[1])
        colour = COLOURS.get(bar.severity, COLOURS[1])
        hollow = f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="3 2"'
        look = hollow if bar.dismissed else f'fill="{colour}" stroke="{colour}"'
        css = f"tl-bar tl-severity-{bar.severity:d}" + (" tl-dismissed" if bar.dismissed else "")
        rect = (
            f'<rect class="{css}" x="{x:.1f}" y="{middle - height / 2:g}" width="{width:.1f}" height="{height}" '
            f'rx="2" {look}><title>{escape(bar.title)}</title></rect>'
        )
        return f"<a href={quoteattr(bar.link)} aria-label={quoteattr(bar.title)}>{rect}</a>" if bar.link else rect

    def _empty(self) -> str:
        y = TOP + LOOKED_AT + LANE / 2 + 4.5
        text = escape(_("No suspicious activity"))
        return f'<text class="tl-quiet" x="{self.left + 14:.1f}" y="{y:g}" fill="{QUIET}">{text}</text>'


def _shortened(text: str) -> str:
    if len(text) <= LABEL_LENGTH:
        return text
    # At the end of a word, since half a Bangla letter cannot be drawn; a name that is one long word has none.
    short = textwrap.shorten(text, LABEL_LENGTH, placeholder="…")
    return short if short != "…" else text[: LABEL_LENGTH - 1] + "…"
