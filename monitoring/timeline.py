"""The picture of a session over time: one lane per kind of activity, as data and as SVG; pure.

The same picture is used on the reviewer's page and in the PDF. Every shape carries a class, for the page's style
sheet, and a plain attribute that looks right on paper, where no style sheet reaches it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from django.utils.translation import gettext as _

WIDTH, RIGHT = 1000, 18
TOP, LANE, AXIS = 8, 28, 26
LOOKED_AT, STRIP = 20, 20
SPOKEN, LOUDNESS = 20, 26
QUIETEST_DBFS = -60
LETTER = 7.1
NARROWEST_MARK = 3.0
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


class Who(StrEnum):
    """Whose voice it was: the candidate's, somebody else's, one that has only a number, or not to be told."""

    CANDIDATE = "candidate"
    ANOTHER = "another"
    NUMBERED = "numbered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch in which one voice spoke, in seconds from the session's start; ``number`` is that of a numbered one."""

    start_s: float
    end_s: float
    who: Who
    number: int = 0

    @property
    def voice(self) -> tuple[Who, int]:
        """What two stretches of the same voice share."""
        return self.who, self.number


@dataclass(frozen=True, slots=True)
class Sound:
    """Who spoke when, and how loud it was: seconds from the session's start, each with dBFS."""

    turns: tuple[Spoken, ...]
    levels: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a strip: a stretch, or an instant where both times are one; ``look`` is one of ``STRIP_LOOKS``."""

    start_s: float
    end_s: float
    look: str
    title: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """A narrow row beside the lanes: presence, the connection, what the browser told, what reviewers marked."""

    label: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A session of ``duration_s`` seconds: what was examined and heard, and its lanes from top to bottom."""

    duration_s: float
    examined: tuple[Stretch, ...]
    lanes: tuple[Lane, ...]
    sound: Sound | None = None
    above: tuple[Strip, ...] = ()
    below: tuple[Strip, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a row and the height of the row's middle, both as shares of the drawing's, in percent."""

    text: str
    middle: float
    right: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A timeline whose rows' names are left to the page: WeasyPrint draws Bangla letters in an SVG each by itself."""

    svg: str
    labels: tuple[Label, ...]


def draw_unlabelled(timeline: Timeline, *, description: str, width: int = WIDTH) -> Drawn:
    """Return the timeline without the names of its rows, and these with their places."""
    drawing = _Drawing(timeline, width, labels_apart=True)
    svg = drawing.svg(description)
    height = drawing.bottom + AXIS
    labels = (
        Label(_shortened(text), round(100 * middle / height, 3), round(100 - 100 * (drawing.left - 12) / width, 3))
        for text, middle in drawing.labels
    )
    return Drawn(svg, tuple(labels))


_PATTERN = (
    '<defs><pattern id="unexamined" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="tl-gap-ground" width="7" height="7" fill="#eceff2"/>'
    '<line class="tl-gap-line" x1="0" y1="0" x2="0" y2="7" stroke="#a3adb8" stroke-width="2"/></pattern></defs>'
)


SPOKEN_LOOKS = {
    Who.CANDIDATE: (7, SEEN, True),
    Who.ANOTHER: (14, COLOURS[2], True),
    Who.NUMBERED: (10, COLOURS[1], True),
    Who.UNKNOWN: (7, QUIET, False),
}
"""Height, colour, and whether it is filled."""

STRIP_LOOKS = {
    "one": (5, SEEN),
    "nobody": (11, COLOURS[2]),
    "several": (15, COLOURS[3]),
    "paused": (5, QUIET),
    "silent": (11, COLOURS[2]),
    "lost": (15, COLOURS[3]),
    "event": (11, COLOURS[1]),
    "verdict": (9, QUIET),
    "note": (15, COLOURS[2]),
}
"""Height and colour: the graver the taller."""


class _Drawing:
    """Where things lie in one picture of a timeline."""

    def __init__(self, timeline: Timeline, width: int, *, labels_apart: bool = False) -> None:
        self.labels_apart, self.labels = labels_apart, list[tuple[str, float]]()
        self.timeline, self.duration_s = timeline, timeline.duration_s
        longest = max((len(_shortened(lane.label)) for lane in timeline.lanes), default=0)
        rows = [_("Examined"), *([_("Who spoke"), _("Loudness")] if timeline.sound else [])]
        rows += [strip.label for strip in (*timeline.above, *timeline.below)]
        self.left = 16 + LETTER * max(longest, *(len(_shortened(row)) for row in rows))
        self.right = width - RIGHT
        self.width = width
        self.strips_at = TOP + LOOKED_AT + (SPOKEN + LOUDNESS if timeline.sound else 0)
        self.lanes_at = self.strips_at + STRIP * len(timeline.above)
        self.below_at = self.lanes_at + LANE * max(1, len(timeline.lanes))
        self.bottom = self.below_at + STRIP * len(timeline.below)

    def svg(self, description: str) -> str:
        opening = (
            f'<svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.bottom + AXIS}" '
            f'role="group" aria-label={quoteattr(description)} font-family="Noto Sans, sans-serif" font-size="13" '
            f'data-left="{self.left:.1f}" data-right="{self.right}" data-duration="{self.duration_s:.3f}" '
            f'data-top="{TOP}" data-bottom="{self.bottom}">'
        )
        parts = [
            opening,
            _PATTERN,
            *self._axis(),
            *self._background(),
            *(self._sound(self.timeline.sound) if self.timeline.sound else []),
            *self._strips(self.strips_at, self.timeline.above),
            *(part for row, lane in enumerate(self.timeline.lanes) for part in self._lane(row, lane)),
            *([] if self.timeline.lanes else [self._empty()]),
            *self._strips(self.below_at, self.timeline.below),
            "</svg>",
        ]
        return "".join(parts)

    def _x(self, seconds: float) -> float:
        share = seconds / self.duration_s if self.duration_s > 0 else 0.0
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def _axis(self) -> list[str]:
        step = next((step for step in STEPS_S if self.duration_s / step <= MOST_TICKS), STEPS_S[-1])
        parts = ['<g class="tl-ticks">']
        for tick in range(int(self.duration_s // step) + 1):
            x = self._x(tick * step)
            parts.append(
                f'<line class="tl-rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{self.bottom}" stroke="{RULE}"/>'
                f'<text class="tl-quiet" x="{x:.1f}" y="{self.bottom + 17}" text-anchor="middle" fill="{QUIET}">'
                f"{clock(tick * step)}</text>"
            )
        parts += ["</g>", self._horizontal("tl-base", self.bottom, QUIET)]
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
            f'<rect {look} {_times(stretch.start_s, stretch.end_s)} x="{x:.1f}" y="{y:g}" width="{width:.1f}" '
            f'height="{height:g}"><title>{title}</title></rect>'
        )

    def _sound(self, sound: Sound) -> list[str]:
        """The rows that say who spoke when, and how loud it was."""
        middle, floor = TOP + LOOKED_AT + SPOKEN / 2, TOP + LOOKED_AT + SPOKEN + LOUDNESS - 3
        parts = [self._label(_("Who spoke"), middle, "tl-quiet", QUIET)]
        parts += [self._turn(turn, middle) for turn in sound.turns]
        parts += [self._label(_("Loudness"), floor - LOUDNESS / 2, "tl-quiet", QUIET)]
        reach = LOUDNESS - 5
        points = " ".join(
            f"{self._x(at):.1f},{floor - reach * min(max(1 - level / QUIETEST_DBFS, 0.0), 1.0):.1f}"
            for at, level in sound.levels
        )
        title = escape(_("Loudness, from %(quietest)d dB to full scale") % {"quietest": QUIETEST_DBFS})
        parts.append(
            f'<polyline class="tl-level" points="{points}" fill="none" stroke="{QUIET}">'
            f"<title>{title}</title></polyline>"
        )
        return parts

    def _turn(self, turn: Spoken, middle: float) -> str:
        """Another's voice is drawn taller than the candidate's, and one that is not to be told hollow."""
        height, colour, filled = SPOKEN_LOOKS[turn.who]
        look = f'fill="{colour}" stroke="{colour}"' if filled else f'fill="none" stroke="{colour}"'
        what = _spoken_by(turn) + ", %(start)s – %(end)s"
        css = f'class="tl-turn tl-turn-{turn.who}" rx="1"'
        return self._stretch(Stretch(turn.start_s, turn.end_s), what, f"{css} {look}", middle - height / 2, height)

    def _lane(self, row: int, lane: Lane) -> list[str]:
        middle = self.lanes_at + LANE * row + LANE / 2
        line = self._horizontal("tl-rule", middle, RULE)
        return [line, self._label(lane.label, middle, "tl-ink", INK), *(self._bar(bar, middle) for bar in lane.bars)]

    def _label(self, text: str, middle: float, css: str, colour: str) -> str:
        self.labels.append((text, middle))
        if self.labels_apart:
            return ""
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
            f'<rect class="{css}" {_times(bar.start_s, bar.end_s)} x="{x:.1f}" y="{middle - height / 2:g}" '
            f'width="{width:.1f}" height="{height}" rx="2" {look}><title>{escape(bar.title)}</title></rect>'
        )
        return f"<a href={quoteattr(bar.link)} aria-label={quoteattr(bar.title)}>{rect}</a>" if bar.link else rect

    def _strips(self, top: float, strips: Sequence[Strip]) -> list[str]:
        parts = []
        for row, strip in enumerate(strips):
            middle = top + STRIP * row + STRIP / 2
            parts += [self._horizontal("tl-rule", middle, RULE), self._label(strip.label, middle, "tl-quiet", QUIET)]
            parts += [self._mark(mark, middle) for mark in strip.marks]
        return parts

    def _mark(self, mark: Mark, middle: float) -> str:
        height, colour = STRIP_LOOKS[mark.look]
        x = self._x(mark.start_s)
        width = max(NARROWEST_MARK, self._x(mark.end_s) - x)
        x = min(x, self.right - width)
        rect = (
            f'<rect class="tl-mark tl-mark-{mark.look}" {_times(mark.start_s, mark.end_s)} x="{x:.1f}" '
            f'y="{middle - height / 2:g}" width="{width:.1f}" height="{height}" rx="1" fill="{colour}">'
            f"<title>{escape(mark.title)}</title></rect>"
        )
        return f"<a href={quoteattr(mark.link)} aria-label={quoteattr(mark.title)}>{rect}</a>" if mark.link else rect

    def _empty(self) -> str:
        y = self.lanes_at + LANE / 2 + 4.5
        text = escape(_("No suspicious activity"))
        return f'<text class="tl-quiet" x="{self.left + 14:.1f}" y="{y:g}" fill="{QUIET}">{text}</text>'


def _times(start_s: float, end_s: float) -> str:
    """What a page needs to draw a part of the session larger."""
    return f'data-s="{start_s:.3f}" data-e="{end_s:.3f}"'


def _spoken_by(turn: Spoken) -> str:
    if turn.who is Who.NUMBERED:
        return _("Voice %(number)d") % {"number": turn.number}
    return {
        Who.CANDIDATE: _("The candidate's voice"),
        Who.ANOTHER: _("Another voice"),
        Who.UNKNOWN: _("A voice, not told whose"),
    }[turn.who]


def _shortened(text: str) -> str:
    if len(text) <= LABEL_LENGTH:
        return text
    # At the end of a word, since half a Bangla letter cannot be drawn; a name that is one long word has none.
    short = textwrap.shorten(text, LABEL_LENGTH, placeholder="…")
    return short if short != "…" else text[: LABEL_LENGTH - 1] + "…"
