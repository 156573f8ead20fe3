"""Line plots over t in [0, 1]."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from diffkit_trainer.figures.captions import font
from diffkit_trainer.files.atomic import atomic_write

__all__ = ["Panel", "save_plot"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777", "#e08030", "#553399", "#114422")
"""Paul Tol's bright palette, which is safe for colour-blind readers, and three more colours."""

SUPERSAMPLING = 3  # Pillow's lines are not antialiased: the plot is drawn larger and reduced
WIDTH, HEIGHT, MARGIN = 420, 320, 44  # of a panel
LEGEND_ROW, LEGEND_NAME, LEGEND_GAP = 18, 30, 24  # height of a row, from a line's start to its name, space after the name


class Panel(NamedTuple):
    """One pair of axes: a title, curves (name: values at evenly spaced t from 0 to 1), and the range [low, high] of y."""

    title: str
    curves: Mapping[str, Sequence[float]]
    low: float
    high: float


def save_plot(panels: Sequence[Panel], out: str | Path) -> None:
    """Write the panels side by side above one legend, as a PNG, atomically. A curve is clipped to its panel's range of y."""
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
        canvas.resize(size, Image.Resampling.BOX).save(temporary, format="PNG")


def _draw_panel(draw: ImageDraw.ImageDraw, panel: Panel, left: int, colours: Mapping[str, str]) -> None:
    right, top, bottom = left + WIDTH - 16, MARGIN, HEIGHT - MARGIN
    start = left + MARGIN

    def position(t: float, y: float) -> tuple[float, float]:
        fraction = (min(max(y, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
        return start + t * (right - start), bottom - fraction * (bottom - top)

    for k in range(5):
        t, y = k / 4, panel.low + k / 4 * (panel.high - panel.low)
        draw.line(_scaled(position(0, y), position(1, y)), fill="#dddddd", width=SUPERSAMPLING)
        draw.line(_scaled(position(t, panel.low), position(t, panel.high)), fill="#dddddd", width=SUPERSAMPLING)
        (x, _), (_, height) = position(t, panel.low), position(0, y)
        _text(draw, (x, bottom + 12), f"{t:g}", "mm")
        _text(draw, (start - 6, height), f"{y:g}", "rm")
    _text(draw, ((start + right) / 2, top - 20), panel.title, "mm")
    _text(draw, ((start + right) / 2, bottom + 30), "t: 0 = data, 1 = noise", "mm")
    for name, values in panel.curves.items():
        points = [position(k / (len(values) - 1), y) for k, y in enumerate(values)]
        draw.line(_scaled(*points), fill=colours[name], width=2 * SUPERSAMPLING, joint="curve")


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
