"""Line plots."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from diffkit_trainer.figures.font import font
from diffkit_trainer.figures.metadata import save_options
from diffkit_trainer.files.atomic import atomic_write

__all__ = ["Panel", "save_plot"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777", "#e08030", "#553399", "#114422")
"""Paul Tol's bright palette, which is safe for colour-blind readers, and three more colours."""

SUPERSAMPLING = 3  # Pillow's lines are not antialiased: the plot is drawn larger and reduced
WIDTH, HEIGHT, MARGIN = 420, 320, 44  # of a panel
DOT = 3  # radius of a curve of one point
LEGEND_ROW, LEGEND_NAME, LEGEND_GAP = 18, 30, 24  # height of a row, from a line's start to its name, space after the name


class Panel(NamedTuple):
    """One pair of axes: a title, curves (name: points (x, y), x ascending), the range of y, and that of x with its label.

    log: logarithmic y; low > 0 then.
    """

    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    low: float
    high: float
    start: float = 0.0
    end: float = 1.0
    label: str = "t: 0 = data, 1 = noise"
    log: bool = False

    def across(self, x: float) -> float:
        """The place of x in its range, from 0 to 1."""
        return (x - self.start) / (self.end - self.start)

    def up(self, y: float) -> float:
        """The place of y in its range, from 0 to 1, where it is clipped."""
        y = min(max(y, self.low), self.high)
        return math.log(y / self.low, self.high / self.low) if self.log else (y - self.low) / (self.high - self.low)

    def value(self, up: float) -> float:
        """The y at a place from 0 to 1."""
        return self.low * (self.high / self.low) ** up if self.log else self.low + up * (self.high - self.low)


def save_plot(panels: Sequence[Panel], out: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write the panels side by side above one legend, as a PNG, atomically. A curve is clipped to its panel's range of y.

    metadata: read by `read_metadata`.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width = len(panels) * WIDTH
    positions, foot = _legend(names, width)
    size = (width, HEIGHT + foot)
    canvas = Image.new("RGB", (SUPERSAMPLING * size[0], SUPERSAMPLING * size[1]), "white")
    draw = ImageDraw.Draw(canvas)
    for i, panel in enumerate(panels):
        _draw_panel(draw, panel, i * WIDTH, colours)
    for name, (x, y) in positions.items():
        draw.line(_scaled((x, HEIGHT + y), (x + LEGEND_NAME - 6, HEIGHT + y)), fill=colours[name], width=2 * SUPERSAMPLING)
        _text(draw, (x + LEGEND_NAME, HEIGHT + y), name, "lm")
    with atomic_write(Path(out)) as temporary:
        canvas.resize(size, Image.Resampling.BOX).save(temporary, format="PNG", **save_options("PNG", metadata))


def _draw_panel(draw: ImageDraw.ImageDraw, panel: Panel, left: int, colours: Mapping[str, str]) -> None:
    right, top, bottom = left + WIDTH - 16, MARGIN, HEIGHT - MARGIN
    start = left + MARGIN

    def position(across: float, up: float) -> tuple[float, float]:
        return start + across * (right - start), bottom - up * (bottom - top)

    for k in range(5):
        at = k / 4
        draw.line(_scaled(position(0, at), position(1, at)), fill="#dddddd", width=SUPERSAMPLING)
        draw.line(_scaled(position(at, 0), position(at, 1)), fill="#dddddd", width=SUPERSAMPLING)
        (x, _), (_, height) = position(at, 0), position(0, at)
        _text(draw, (x, bottom + 12), f"{panel.start + at * (panel.end - panel.start):g}", "mm")
        _text(draw, (start - 6, height), f"{panel.value(at):.{3 if panel.log else 6}g}", "rm")
    _text(draw, ((start + right) / 2, top - 20), panel.title, "mm")
    _text(draw, ((start + right) / 2, bottom + 30), panel.label, "mm")
    for name, points in panel.curves.items():
        line = [position(panel.across(x), panel.up(y)) for x, y in points]
        draw.line(_scaled(*line), fill=colours[name], width=2 * SUPERSAMPLING, joint="curve")
        if len(line) == 1:  # which is no line
            (x, y), radius = line[0], DOT
            draw.ellipse(_scaled((x - radius, y - radius), (x + radius, y + radius)), fill=colours[name])


def _legend(names: Sequence[str], width: int) -> tuple[dict[str, tuple[float, float]], int]:
    """The start of each name's line, in as few rows as fit, column by column and centred; and the legend's height."""
    columns, widths = list[Sequence[str]](), list[float]()
    for rows in range(1, len(names) + 1):
        columns = [names[i : i + rows] for i in range(0, len(names), rows)]
        widths = [LEGEND_NAME + LEGEND_GAP + max(font(12).getlength(name) for name in column) for column in columns]
        if sum(widths) <= width - MARGIN:
            break
    lefts = accumulate(widths, initial=(width - sum(widths) + LEGEND_GAP) / 2)
    positions = {
        name: (x, LEGEND_ROW * (i + 0.5)) for x, column in zip(lefts, columns, strict=False) for i, name in enumerate(column)
    }
    return positions, LEGEND_ROW * (max(map(len, columns), default=0) + 1)


def _text(draw: ImageDraw.ImageDraw, position: tuple[float, float], text: str, anchor: str) -> None:
    draw.text(_scaled(position)[0], text, fill="black", font=font(12 * SUPERSAMPLING), anchor=anchor)


def _scaled(*points: tuple[float, float]) -> list[tuple[float, float]]:
    return [(SUPERSAMPLING * x, SUPERSAMPLING * y) for x, y in points]
