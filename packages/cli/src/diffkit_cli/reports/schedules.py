"""Noise schedules as a table, as lines of text and as a plot; the embedding as an image."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from diffkit_schedules import Rates, Schedule, as_array_of, from_config, namespace
from diffkit_trainer import Panel, labelled_grid, save_plot, save_png
from diffkit_unet import SinusoidalEmbedding

from diffkit_cli.terminal.console import Table, answer, results, show, table

__all__ = ["EMBEDDING_METADATA", "plot_embedding", "plot_schedules", "print_schedules", "schedule_rows"]

BARS = "▁▂▃▄▅▆▇█"
LIMIT = 12.0
PLOT_POINTS = 201
COLUMNS = ("t", "alpha", "sigma", "log_snr")
EMBEDDING = 32
EMBEDDING_METADATA = {"command": "schedules", "embedding": EMBEDDING}

Row: TypeAlias = tuple[float, float, float, float]
"""The numbers of `COLUMNS`."""


def print_schedules(names: Mapping[str, str], points: int, *, as_json: bool) -> None:
    """Print t, alpha, sigma and log-SNR at evenly spaced times from 0 to 1.

    names: of each schedule, as it is shown and as it is registered. as_json: one object of lists by name, infinities are null.
    """
    chosen = _schedules(names)
    tables = {name: list(schedule_rows(schedule, points)) for name, schedule in chosen.items()}
    if as_json:
        _print_json(tables)
    else:
        _print(chosen, tables)


def plot_schedules(names: Mapping[str, str], out: Path) -> None:
    """Write a plot of the signal rate and the log-SNR over t."""
    tables: dict[str, Any] = {name: list(schedule_rows(schedule, PLOT_POINTS)) for name, schedule in _schedules(names).items()}
    signal = {name: [(t, a / math.hypot(a, s)) for t, a, s, _ in rows] for name, rows in tables.items()}
    ratio = {name: [(t, log_snr) for t, _, _, log_snr in rows] for name, rows in tables.items()}
    panels = [Panel("signal rate, alpha / sqrt(alpha^2 + sigma^2)", signal, 0, 1), Panel("log-SNR", ratio, -LIMIT, LIMIT)]
    save_plot(panels, out, {"command": "schedules", "names": list(tables)})


def plot_embedding(out: Path) -> int:
    """Write the sinusoidal embedding of the noise variance from 0 to 1: one row per component, blue -1, white 0, red 1.

    Returns the number of components.
    """
    length = EMBEDDING
    layer = SinusoidalEmbedding(length)
    width, height, fine = 600, 14, 32
    v = as_array_of([(k + 0.5) / (width * fine) for k in range(width * fine)], layer.frequencies)
    xp = namespace(v)
    # a pixel is the mean over its width: waves that are finer than pixels turn white instead of into other waves
    values = xp.mean(xp.reshape(xp.permute_dims(layer(v), (1, 0)), (length, width, fine)), axis=2)
    white = 1 - abs(values)
    colour = xp.stack([xp.where(values > 0, 1 + 0 * white, white), white, xp.where(values < 0, 1 + 0 * white, white)], axis=1)
    rows = xp.astype(xp.round(255 * colour), xp.uint8)[:, :, None, :]  # (length, 3, 1, width)
    frequencies = [float(f) for f in layer.frequencies]
    labels = [f"{wave} {float(f'{f:.3g}'):g}" for wave in ("sin", "cos") for f in frequencies]
    pixels = xp.concat([rows] * height, axis=2)
    image = labelled_grid(pixels, labels, columns=1, caption="noise variance, 0 to 1", padding=0, scale=1)
    save_png(image, out, EMBEDDING_METADATA)
    return length


def _schedules(names: Mapping[str, str]) -> dict[str, Schedule]:
    return {name: from_config({"name": key}) for name, key in names.items()}


def schedule_rows(schedule: Schedule, points: int) -> Iterator[Row]:
    """t, alpha, sigma and log-SNR at evenly spaced times from 0 to 1."""
    for k in range(points):
        rates: Rates = schedule(k / (points - 1))
        yield k / (points - 1), rates.alpha, rates.sigma, rates.log_snr


def _print_json(tables: dict[str, list[Row]]) -> None:
    keyed = {
        name: {
            column: [_finite(value) for value in values] for column, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        }
        for name, rows in tables.items()
    }
    answer(keyed)


def _print(chosen: dict[str, Schedule], tables: dict[str, list[Row]]) -> None:
    screen = results()
    for name, schedule in chosen.items():
        show(str(schedule), _table(tables[name]))
    if len(chosen) > 1:
        screen.print("log-SNR from t = 0 to 1, -12 to 12", style="bold")
        for name, schedule in chosen.items():
            screen.print(f"{name:20} {_line(schedule, screen.encoding)}")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(rows: list[Row]) -> Table:
    shown = table("t", "alpha", "sigma", "log-SNR")
    for t, alpha, sigma, log_snr in rows:
        shown.add_row(f"{t:.4g}", f"{alpha:.5f}", f"{sigma:.5f}", f"{log_snr:.3f}")
    return shown


def _line(schedule: Schedule, encoding: str) -> str:
    """The log-SNR over t as a line of block characters; of digits where the terminal cannot show them."""
    letters = BARS if encoding.lower().startswith("utf") else "01234567"
    values = [log_snr for _, _, _, log_snr in schedule_rows(schedule, 48)]
    heights = ((min(max(value, -LIMIT), LIMIT) + LIMIT) / (2 * LIMIT) for value in values)
    return "".join(letters[min(int(height * len(letters)), len(letters) - 1)] for height in heights)
