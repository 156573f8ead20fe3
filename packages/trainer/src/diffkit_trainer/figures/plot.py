"""Curves over [0, 1], drawn with Pillow."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from diffkit_trainer.figures.captions import font
from diffkit_trainer.files.atomic import written

__all__ = ["Panel", "save_plot"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777", "#e08030", "#553399", "#114422")
"""Paul Tol's bright colours, which the colour-blind can tell apart, and three more."""

FINE = 3  # drawn larger and shrunk: Pillow's lines are not antialiased
WIDTH, HEIGHT, EDGE, ROW = 420, 320, 44, 18
LINE, GAP = 30, 24  # in the legend: from a curve's sample to its name, and behind the name


class Panel(NamedTuple):
    """One pair of axes: a title, curves (name: y at evenly spaced t from 0 to 1), and the range of y that is shown."""

    title: str
    curves: Mapping[str, Sequence[float]]
    low: float
    high: float


def save_plot(panels: Sequence[Panel], out: str | Path) -> None:
    """Writes the panels side by side, with one legend for all below them, as a PNG; whole or not at all.

    What lies outside a panel's range is drawn at its edge.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width = len(panels) * WIDTH
    places, foot = _legend(names, width)
    size = (width, HEIGHT + foot)
    canvas = Image.new("RGB", (FINE * size[0], FINE * size[1]), "white")
    draw = ImageDraw.Draw(canvas)
    for i, panel in enumerate(panels):
        _panel(draw, panel, i * WIDTH, colours)
    for name, (x, y) in places.items():
        draw.line(_fine((x, HEIGHT + y), (x + LINE - 6, HEIGHT + y)), fill=colours[name], width=2 * FINE)
        _text(draw, (x + LINE, HEIGHT + y), name, "lm")
    with written(Path(out)) as temporary:
        canvas.resize(size, Image.Resampling.BOX).save(temporary, format="PNG")


def _panel(draw: ImageDraw.ImageDraw, panel: Panel, left: int, colours: Mapping[str, str]) -> None:
    right, top, bottom = left + WIDTH - 16, EDGE, HEIGHT - EDGE
    start = left + EDGE

    def place(t: float, y: float) -> tuple[float, float]:
        part = (min(max(y, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
        return start + t * (right - start), bottom - part * (bottom - top)

    for k in range(5):
        t, y = k / 4, panel.low + k / 4 * (panel.high - panel.low)
        draw.line(_fine(place(0, y), place(1, y)), fill="#dddddd", width=FINE)
        draw.line(_fine(place(t, panel.low), place(t, panel.high)), fill="#dddddd", width=FINE)
        (x, _), (_, height) = place(t, panel.low), place(0, y)
        _text(draw, (x, bottom + 12), f"{t:g}", "mm")
        _text(draw, (start - 6, height), f"{y:g}", "rm")
    _text(draw, ((start + right) / 2, top - 20), panel.title, "mm")
    _text(draw, ((start + right) / 2, bottom + 30), "t: 0 = data, 1 = noise", "mm")
    for name, values in panel.curves.items():
        points = [place(k / (len(values) - 1), y) for k, y in enumerate(values)]
        draw.line(_fine(*points), fill=colours[name], width=2 * FINE, joint="curve")


def _legend(names: Sequence[str], width: int) -> tuple[dict[str, tuple[float, float]], int]:
    """Where each name's line begins, in as few rows as fit, the columns together and in the middle; and the height."""
    columns, widths = list[Sequence[str]](), list[float]()
    for rows in range(1, len(names) + 1):
        columns = [names[i : i + rows] for i in range(0, len(names), rows)]
        widths = [LINE + GAP + max(font(12).getlength(name) for name in column) for column in columns]
        if sum(widths) <= width - EDGE:
            break
    lefts = accumulate(widths, initial=(width - sum(widths) + GAP) / 2)
    places = {name: (x, ROW * (i + 0.5)) for x, column in zip(lefts, columns, strict=False) for i, name in enumerate(column)}
    return places, ROW * (max(map(len, columns), default=0) + 1)


def _text(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, anchor: str) -> None:
    draw.text(_fine(place)[0], text, fill="black", font=font(12 * FINE), anchor=anchor)


def _fine(*points: tuple[float, float]) -> list[tuple[float, float]]:
    return [(FINE * x, FINE * y) for x, y in points]
