"""From the logs of runs to curves over the steps, and the time that is left. Imports no library of pages."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from diffkit_cli.training.loss_curve import Points, loss_curves, smoothed_loss, thinned

__all__ = ["CHARTS", "Chart", "Curve", "Logs", "chart_options", "seconds_left"]

Logs: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""The entries of log.jsonl of each run, by its name."""

COLOURS = ("#4c78dd", "#f0883e", "#2ca58d", "#c2569b", "#8a6fd1", "#a3a948", "#d1495b", "#5fa8d3")
GREY, LINES = "#8a8f98", "rgba(138, 143, 152, 0.25)"
RECENT = 20
"""Entries of the log that the speed is measured by."""


class Curve(NamedTuple):
    """Points (step, value), with a name; faint curves and dashed ones accompany the one before in its colour."""

    name: str
    points: Points
    colour: str
    dashed: bool = False
    faint: bool = False


class Chart(NamedTuple):
    """A chart over the steps; log: a logarithmic axis."""

    title: str
    curves: Any
    log: bool = False


def loss_chart(logs: Logs) -> list[Curve]:
    """Of one run the loss as logged and smoothed, held out and trained; of several the smoothed and the held-out loss of each."""
    found = list[Curve]()
    if len(logs) == 1:
        curves = loss_curves(*logs.values())
        found += [Curve("logged", curves["logged"], COLOURS[0], faint=True), Curve("loss", curves["smoothed"], COLOURS[0])]
        if "trained" in curves:
            found.append(Curve("trained, by the average", curves["trained"], COLOURS[1], dashed=True))
        if "held out" in curves:
            found.append(Curve("held out, by the average", curves["held out"], COLOURS[1]))
        return found
    for k, (name, log) in enumerate(logs.items()):
        colour, held_out = COLOURS[k % len(COLOURS)], _of(log, "loss_held_out")
        found.append(Curve(name, smoothed_loss(log), colour))
        if held_out:
            found.append(Curve(f"{name}, held out", held_out, colour, dashed=True))
    return found


def by_noise_level(logs: Logs) -> list[Curve]:
    """The loss of the samples in each part of t, from nearly clean data to nearly pure noise; of several runs in dashes too."""
    found = list[Curve]()
    for k, (name, log) in enumerate(logs.items()):
        parts = max((len(entry["loss_by_t"]) for entry in log if isinstance(entry.get("loss_by_t"), list)), default=0)
        for part in range(parts):
            title = f"t {part / parts:g} to {(part + 1) / parts:g}" + (f", {name}" if len(logs) > 1 else "")
            losses = [(entry["step"], _at(entry.get("loss_by_t"), part)) for entry in log]
            points = [(step, loss) for step, loss in losses if loss is not None]
            found.append(Curve(title, points, COLOURS[part % len(COLOURS)], dashed=bool(k)))
    return found


def _one(key: str) -> Any:
    def curves(logs: Logs) -> list[Curve]:
        return [Curve(name, _of(log, key), COLOURS[k % len(COLOURS)]) for k, (name, log) in enumerate(logs.items())]

    return curves


CHARTS = (
    Chart("Loss", loss_chart, log=True),
    Chart("Loss by noise level", by_noise_level, log=True),
    Chart("Learning rate", _one("lr")),
    Chart("Images a second", _one("images_per_second")),
)


def chart_options(chart: Chart, logs: Logs, first: float | None = None, last: float | None = None) -> dict[str, Any]:
    """The chart for ECharts. first, last: the steps that are shown, by default all of them."""
    series, curves = list[dict[str, Any]](), chart.curves(logs)
    for each in curves:
        line = {
            "width": 1 if each.faint else 2,
            "type": "dashed" if each.dashed else "solid",
            "opacity": 0.35 if each.faint else 1,
        }
        points = [[step, value] for step, value in thinned(each.points) if not chart.log or value > 0]
        few = len(points) < RECENT
        style = {"lineStyle": line, "itemStyle": {"color": each.colour}, "showSymbol": few, "symbolSize": 5}
        series.append({"type": "line", "name": each.name, "data": points, "sampling": "lttb", **style})
    axis = {"axisLabel": {"color": GREY}, "splitLine": {"lineStyle": {"color": LINES}}, "nameTextStyle": {"color": GREY}}
    x = {"type": "value", "name": "step", "nameLocation": "middle", "nameGap": 26, "min": first, "max": last, **axis}
    return {
        "animation": False,
        "aria": {"enabled": True},
        "title": {"left": 0, "text": chart.title, "textStyle": {"color": GREY, "fontSize": 14, "fontWeight": 600}},
        "legend": {
            "show": len(series) > 1,
            "type": "scroll",
            "top": 30,
            "left": 0,
            "textStyle": {"color": GREY},
            "itemWidth": 18,
        },
        "grid": {"left": 62, "right": 14, "top": 70 if len(series) > 1 else 44, "bottom": 46},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": x,
        "yAxis": {"type": "log" if chart.log else "value", "logBase": 2, "scale": True, **axis},
        "dataZoom": [{"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": False}],
        "series": series,
    }


def seconds_left(log: Sequence[Mapping[str, Any]], steps: int) -> float | None:
    """The seconds until a run has made so many steps, by the speed between its last entries; None where it is not known.

    >>> seconds_left([{"step": 100, "seconds": 50.0}, {"step": 200, "seconds": 90.0}], 1000)
    320.0
    """
    recent = list[tuple[int, float]]()
    for entry in reversed(log):
        seconds = entry.get("seconds")
        if seconds is None or (recent and seconds >= recent[-1][1]) or len(recent) == RECENT:
            break  # a run that was resumed counts from 0 again
        recent.append((entry["step"], seconds))
    made = recent[0][0] - recent[-1][0] if recent else 0
    return (steps - recent[0][0]) * (recent[0][1] - recent[-1][1]) / made if made else None


def _of(log: Sequence[Mapping[str, Any]], key: str) -> Points:
    return [(entry["step"], entry[key]) for entry in log if isinstance(entry.get(key), int | float)]


def _at(values: Any, k: int) -> float | None:
    return values[k] if isinstance(values, list) and k < len(values) else None
