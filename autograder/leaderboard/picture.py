"""Where things are in a picture, a track against accuracy: the template only writes it down.

A picture shows what its table says and nothing more. It is SVG in the page itself: its colours are
the page's, light or dark, its text is text, and no library has to be there to draw it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autograder.leaderboard.board import Mark, Table

WIDTH, HEIGHT = 440, 314
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 40, 46  # margins
LABEL, ROW = 90, 15  # the most that a line's label is wide, and how much higher the next stands
LETTER, WIDE = 8.0, 14.0  # the width of one at most, nearly, in names that are 12 high
ROUND = ((10,), (10, 30), (10, 20, 50), (10, 15, 20, 30, 40, 50, 60, 80), tuple(range(10, 100)))
STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
MORE = 0.06  # of the span, left free at both ends


@dataclass(frozen=True)
class Tick:
    """A number on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """Gold or the baseline, upright, with its label above it."""

    at: float
    text: str
    y: float


@dataclass(frozen=True)
class Dot:
    """An entry."""

    x: float
    y: float
    mark: Mark


@dataclass(frozen=True)
class Name:
    """The name beside a dot."""

    x: float
    y: float
    anchor: str  # "start" or "end"
    text: str


@dataclass(frozen=True)
class Picture:
    """All that is drawn."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    names: tuple[Name, ...]  # of the front, as far as there is room
    front: str  # the points of a polyline
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(marks: Sequence[Mark], tables: Sequence[Table]) -> Picture:
    """Return the picture of `marks`; `tables` have gold and baseline of the divisions shown."""
    unit = tables[0].track.unit
    lines = _lines(tables)
    x = _Axis([math.log(one.value) for one in marks] + [math.log(v) for _, v in lines], True)
    y = _Axis([one.right for one in marks], False, most=1.0)
    dots = [Dot(x.at(math.log(one.value)), y.at(one.right), one) for one in marks]
    return Picture(
        x_ticks=tuple(Tick(x.at(math.log(v)), shown_short(v, unit)) for v in _round(x)),
        y_ticks=tuple(Tick(y.at(v), f"{100 * v:g} %") for v in _even(y)),
        lines=tuple(_labelled((x.at(math.log(value)), name) for name, value in lines)),
        dots=tuple(dots),
        names=tuple(_names(dots)),
        front=" ".join(f"{one.x:g},{one.y:g}" for one in dots if one.mark.is_front),
    )


def shown_short(value: float, unit: str) -> str:
    """Return a round `value` of an axis: 0.5, 20, 4,000."""
    return f"{value:,.0f}" if value >= 10 or unit == "bytes" else f"{value:g}"


def _lines(tables: Sequence[Table]) -> list[tuple[str, float]]:
    """Return gold and baseline; with its division where the tables do not share one."""
    found: list[tuple[str, float]] = []
    for name in ("gold", "baseline"):
        by_value = {value: one.division for one in tables if (value := one.line(name)) is not None}
        for value, division in by_value.items():
            found.append((f"{name}, {division}" if len(by_value) > 1 else name, value))
    return found


def _labelled(lines: Iterable[tuple[float, str]]) -> Iterator[Line]:
    """Yield lines from left to right; a label that would meet the one before stands above it."""
    end, is_high = -math.inf, False
    for at, text in sorted(lines):
        is_high = at - end < LABEL and not is_high
        end = at
        yield Line(at, text, TOP - 6 - ROW * is_high)


class _Axis:
    """Numbers to places, in tenths."""

    def __init__(self, values: Sequence[float], is_x: bool, most: float = math.inf):
        """Span `values` and a little more, but nothing above `most`."""
        low, high = min(values), max(values)
        spare = max((high - low) * MORE, 0.002)
        self.low, self.high = low - spare, min(high + spare, most + spare / 3)
        self._most = most
        ends = (LEFT, WIDTH - RIGHT) if is_x else (HEIGHT - BOTTOM, TOP)
        self._from, self._length = ends[0], ends[1] - ends[0]

    def at(self, value: float) -> float:
        """Return the place of `value`."""
        share = (value - self.low) / (self.high - self.low)
        return round(self._from + share * self._length, 1)

    def holds(self, value: float) -> bool:
        """Tell whether there is such a place."""
        return self.low <= value <= min(self.high, self._most)


def _round(axis: _Axis) -> list[float]:
    """Return the values 1, 2, 5, 10, … on a logarithmic `axis`: a few, and at least two."""
    first = math.floor(axis.low / math.log(10)) - 1
    last = math.ceil(axis.high / math.log(10)) + 1
    for tenths in ROUND:
        values = [n / 10 * 10**power for power in range(first, last + 1) for n in tenths]
        found = [value for value in values if axis.holds(math.log(value))]
        if len(found) >= 3:
            return found[:: math.ceil(len(found) / 7)]
    return [math.exp((axis.low + axis.high) / 2)]


def _even(axis: _Axis) -> list[float]:
    """Return values in equal steps on an `axis`: at most six."""
    for step in STEPS:
        first, last = math.ceil(axis.low / step), math.floor(axis.high / step + 1e-9)
        found = [round(number * step, 6) for number in range(first, last + 1)]
        found = [value for value in found if axis.holds(value)]
        if len(found) <= 6:
            return found
    return found


def _names(dots: Sequence[Dot]) -> list[Name]:
    """Return the names of those on the front that cover no other name, and best no dot either."""
    front = [one for one in dots if one.mark.is_front]
    taken, found = [_box(one) for one in front], []
    for one in front:
        free = [(name, box) for name, box in _places(one) if not _meets(box, taken)]
        quiet = [(name, box) for name, box in free if not _meets(box, map(_box, dots))]
        for name, box in (quiet or free)[:1]:
            found.append(name)
            taken.append(box)
    return found


def _box(dot: Dot) -> tuple[float, float, float, float]:
    return dot.x - 5, dot.y - 5, dot.x + 5, dot.y + 5


def _places(dot: Dot) -> list[tuple[Name, tuple[float, float, float, float]]]:
    """Return where a name can stand, within the frame: right of the dot, left, and above."""
    text = dot.mark.alias or ""
    is_wide = [not one.isascii() or one.isupper() or one in "mw@%" for one in text]
    width, found = sum(WIDE if one else LETTER for one in is_wide), []
    for x, y, anchor in (
        (dot.x + 9, dot.y + 4, "start"),
        (dot.x - 9, dot.y + 4, "end"),
        (dot.x + 3, dot.y - 10, "start"),
        (dot.x - 3, dot.y + 19, "end"),
    ):
        left = x if anchor == "start" else x - width
        box = (left, y - 11, left + width, y + 3)
        if LEFT < left and left + width < WIDTH - RIGHT and TOP < box[1] and y < HEIGHT - BOTTOM:
            name = Name(round(x, 1), round(y, 1), anchor, text)
            found.append((name, box))
    return found


def _meets(one: tuple[float, ...], others: Iterable[tuple[float, ...]]) -> bool:
    """Tell whether a box covers something of one of the others."""
    return any(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for other in others
    )
