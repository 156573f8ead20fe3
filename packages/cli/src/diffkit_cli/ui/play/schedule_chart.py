"""A schedule for ECharts. Imports no library of pages."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_cli.ui.watch.curves import COLOURS, GREY, LINES

__all__ = ["log_snr_chart", "rates_chart"]

LIMIT = 12.0
"""Of the log-SNR that is shown."""


def rates_chart(rows: Sequence[Sequence[float]], steps: Sequence[Sequence[float]]) -> dict[str, Any]:
    """alpha and sigma over t. rows: (t, alpha, sigma, log-SNR); steps: (t, alpha, sigma) of the steps of sampling."""
    alpha, sigma = ([[row[0], row[k]] for row in rows] for k in (1, 2))
    dots = [[[step[0], step[k]] for step in steps] for k in (1, 2)]
    series = [*_curve("alpha", alpha, dots[0], COLOURS[0]), *_curve("sigma", sigma, dots[1], COLOURS[1])]
    return _chart("Signal and noise rate, with the steps", series)


def log_snr_chart(rows: Sequence[Sequence[float]], steps: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The log-SNR over t, cut to [-12, 12]; see `rates_chart`."""
    found = [[row[0], row[3]] for row in rows if abs(row[3]) <= LIMIT]
    dots = [[t, 2 * math.log(alpha / sigma)] for t, alpha, sigma in steps if alpha > 0 and sigma > 0]
    return _chart("Log-SNR, with the steps", _curve("log-SNR", found, [dot for dot in dots if abs(dot[1]) <= LIMIT], COLOURS[2]))


def _curve(name: str, points: list[list[float]], dots: list[list[float]], colour: str) -> list[dict[str, Any]]:
    style = {"itemStyle": {"color": colour}}
    line = {"type": "line", "name": name, "data": points, "showSymbol": False, "lineStyle": {"width": 2}, **style}
    return [line, {"type": "scatter", "name": name, "data": dots, "symbolSize": 7, **style}]


def _chart(title: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    axis = {"axisLabel": {"color": GREY}, "splitLine": {"lineStyle": {"color": LINES}}, "nameTextStyle": {"color": GREY}}
    return {
        "animation": False,
        "aria": {"enabled": True},
        "title": {"left": 0, "text": title, "textStyle": {"color": GREY, "fontSize": 14, "fontWeight": 600}},
        "legend": {"show": len(series) > 2, "top": 30, "left": 0, "textStyle": {"color": GREY}, "icon": "circle"},
        "grid": {"left": 52, "right": 14, "top": 70, "bottom": 46},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {"type": "value", "name": "t", "nameLocation": "middle", "nameGap": 26, "min": 0, "max": 1, **axis},
        "yAxis": {"type": "value", "scale": True, **axis},
        "series": series,
    }
