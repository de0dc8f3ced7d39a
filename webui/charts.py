"""Charts as coordinates: numbers over time as a line, bars or a strip, in a box that the page stretches to its own width.

Knows: the box, scales, gaps where nothing is known.
Does not know: SVG's elements, colours, words, what is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH = 600
HEIGHT = 120
STRIP = 1000
"""Width of a strip."""
THIN = 4
"""What happened for a moment is to be seen on a strip all the same."""
FILLED = 0.8
"""Part of a step that its bar covers."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Which times the box shows, and how far apart they are."""

    begin: datetime
    end: datetime
    step: timedelta

    def x(self, at: datetime) -> float:
        """Where a moment is, from 0 to `WIDTH`."""
        part = (at - self.begin) / (self.end - self.begin)
        return round(min(1.0, max(0.0, part)) * WIDTH, 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a strip that is not as the rest."""

    x: float
    width: float


def scale(most: int) -> int:
    """The number at the top of the box: a round one, no less than `most`."""
    top = 1
    while top < most:
        # 1, 2, 5, 10, 20, 50, …
        top = top * 5 // 2 if str(top)[0] == "2" else top * 2
    return top


def lines(axis: Axis, values: Iterable[tuple[datetime, int]], top: int) -> Sequence[Sequence[tuple[float, float]]]:
    """A number over time, as points that are joined; a new line begins where steps are missing."""
    found: list[list[tuple[float, float]]] = []
    last = None
    for at, value in values:
        if last is None or at - last > axis.step * 1.5:
            # a step alone is a short line, not nothing
            found.append([(axis.x(at - axis.step), _y(value, top))])
        found[-1].append((axis.x(at), _y(value, top)))
        last = at
    return found


def path(drawn: Iterable[Sequence[tuple[float, float]]]) -> str:
    """Lines, as SVG spells them."""
    return "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in points) for points in drawn)


def area(drawn: Iterable[Sequence[tuple[float, float]]]) -> str:
    """What is below the lines."""
    return "".join(f"{path([points])}V{HEIGHT}H{points[0][0]:g}Z" for points in drawn)


def bars(axis: Axis, values: Iterable[tuple[datetime, Sequence[int]]], top: int) -> tuple[str, ...]:
    """Numbers that happened during each step, one upon the other: for each kind the path of all its bars."""
    width = axis.step / (axis.end - axis.begin) * WIDTH
    drawn: list[list[str]] = []
    for at, numbers in values:
        left, below = axis.x(at - axis.step) + width * (1 - FILLED) / 2, 0
        drawn += [[] for _ in range(len(numbers) - len(drawn))]
        for kind, number in enumerate(numbers):
            if number:
                y = _y(below + number, top)
                drawn[kind].append(f"M{left:.1f} {y:g}h{width * FILLED:.1f}V{_y(below, top):g}h{-width * FILLED:.1f}z")
                below += number
    return tuple("".join(shapes) for shapes in drawn)


def strip(begin: datetime, end: datetime, stretches: Iterable[tuple[datetime, datetime]]) -> tuple[Piece, ...]:
    """Stretches of time, as far as they are between the two moments."""
    found = []
    for first, last in stretches:
        left, right = (min(1.0, max(0.0, (at - begin) / (end - begin))) * STRIP for at in (first, last))
        if last > begin and first < end:
            width = max(THIN, right - left)
            found.append(Piece(round(min(left, STRIP - width), 1), round(width, 1)))
    return tuple(found)


def _y(value: int, top: int) -> float:
    return round(HEIGHT * (1 - value / top), 1)
