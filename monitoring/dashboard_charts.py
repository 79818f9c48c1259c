"""The dashboard's pictures, as SVG; pure.

Every shape carries a class, for the page's style sheet, and a plain attribute that looks right where no style sheet
reaches it. What they show stands in a table beside them as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 14, 28
GAP_SHARE = 0.28
MOST_TICKS = 4
INK, QUIET, RULE = "#1b1f24", "#59636e", "#d0d7de"
COLOURS = ("#2f6f9f", "#c77700", "#3f8f5f", "#8a4fa3", "#b3261e", "#8b949e")
"""Of the parts of a column, from below; their lightness differs too, for paper without colours."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name below it, and its parts from below as (place of the colour, words, number)."""

    label: str
    parts: tuple[tuple[int, str, int], ...]

    @property
    def total(self) -> int:
        """The height of the column."""
        return sum(number for _colour, _words, number in self.parts)


def draw_columns(columns: Sequence[Column], *, description: str, css: str = "part", every: int = 1) -> str:
    """Return columns of stacked parts as one SVG element; ``every`` so many columns have their name below them."""
    tallest = max((column.total for column in columns), default=0)
    step = _tick_step(tallest)
    top = max(step, -(-tallest // step) * step)
    opening = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label={quoteattr(description)} font-family="Noto Sans, sans-serif" font-size="12">'
    )
    parts = [
        opening,
        *(_tick(value, top) for value in range(0, top + 1, step)),
    ]
    share = (WIDTH - LEFT - RIGHT) / max(1, len(columns))
    for place, column in enumerate(columns):
        x = LEFT + share * place
        parts += _column(column, x, share, top, css)
        if (len(columns) - 1 - place) % every == 0:
            parts.append(_text(x + share / 2, HEIGHT - 9, column.label, "ch-quiet", QUIET))
    return "".join([*parts, "</svg>"])


def _tick_step(tallest: int) -> int:
    """Return a round number of which few make up the tallest column."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step * MOST_TICKS >= tallest:
                return factor * step
        step *= 10


def _y(value: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _tick(value: int, top: int) -> str:
    y = _y(value, top)
    line = f'<line class="ch-rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{RULE}"/>'
    return line + _text(LEFT - 8, y + 4, str(value), "ch-quiet", QUIET, anchor="end")


def _column(column: Column, x: float, share: float, top: int, css: str) -> list[str]:
    gap = share * GAP_SHARE
    drawn, reached = [], 0
    for colour, words, number in column.parts:
        if not number:
            continue
        y = _y(reached + number, top)
        height = _y(reached, top) - y
        title = escape(f"{column.label}, {words}: {number}")
        drawn.append(
            f'<rect class="ch-{css}-{colour}" x="{x + gap / 2:.1f}" y="{y:.1f}" width="{share - gap:.1f}" '
            f'height="{max(1.0, height - 0.8):.1f}" fill="{COLOURS[colour % len(COLOURS)]}">'
            f"<title>{title}</title></rect>"
        )
        reached += number
    if reached:
        drawn.append(_text(x + share / 2, _y(reached, top) - 4, str(reached), "ch-ink", INK))
    return drawn


def _text(x: float, y: float, text: str, css: str, colour: str, *, anchor: str = "middle") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
