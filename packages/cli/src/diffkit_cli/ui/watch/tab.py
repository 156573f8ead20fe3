"""The tab "Watch": the curves of runs as they train, their previews and their configs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffkit_trainer import RunError, read_config
from nicegui import ui

from diffkit_cli.reports.run import describe
from diffkit_cli.terminal.streams import visible
from diffkit_cli.ui.elements import Message
from diffkit_cli.ui.runs import trained_below
from diffkit_cli.ui.settings import Settings
from diffkit_cli.ui.sliders import Slider
from diffkit_cli.ui.watch.configs import differences
from diffkit_cli.ui.watch.curves import CHARTS, chart_options
from diffkit_cli.ui.watch.previews import Previews
from diffkit_cli.ui.watch.state import LogReader, progress

__all__ = ["WatchTab"]

SECONDS = 2.0
"""Between two looks at the folders."""


class WatchTab:
    """The elements of the tab; `update` reads the folders again."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._logs, self._shown = settings, LogReader(), dict[str, Any]()
        self._runs = trained_below(settings.folder)
        newest = sorted(self._runs, key=lambda name: _changed(self._runs[name]), reverse=True)[:1]
        with ui.row().classes("w-full items-center gap-4"):
            chosen = ui.select(list(self._runs), value=newest, multiple=True, label="Runs", on_change=self.choose)
            self._select = chosen.props("use-chips dense outlined").classes("grow min-w-60")
            ui.button("All", on_click=lambda: self._select.set_value(list(self._runs))).props("flat dense no-caps")
        self._message = Message()
        self._progress = ui.label().classes("muted").props("role=status")
        if not self._runs:
            ui.label(f"No run below {settings.folder}: diffkit train writes one.").classes("muted")
        with ui.grid().classes("w-full charts"):
            self._charts = [ui.echart(chart_options(chart, {})).classes("chart") for chart in CHARTS]
        with ui.row().classes("w-full items-center no-wrap gap-4 px-2"):
            ui.label("Steps shown").classes("muted whitespace-nowrap")
            self._first = Slider("First step shown", 0, 0, 1, on_change=self._draw)
            self._last = Slider("Last step shown", 1, 0, 1, on_change=self._draw)
        with ui.grid().classes("w-full charts items-start"):
            with ui.card().classes("grow").props("flat bordered"):
                ui.label("Previews: the same seeds over the training").classes("heading")
                self._previews = Previews()
            with ui.card().classes("grow").props("flat bordered"):
                self._title = ui.label().classes("heading")
                self._config = ui.element("div").classes("w-full")
        ui.timer(SECONDS, self.update)
        ui.timer(0, self.choose, once=True)

    async def choose(self) -> None:
        """Show other runs."""
        self._shown = {}
        self._first.set(0)
        self._last.set(self._last.high)
        await self.update()
        await self._describe()

    async def update(self) -> None:
        """Read the folders, and show what is new."""
        chosen = list(self._select.value or [])
        try:
            runs, found, lines = await asyncio.to_thread(self._read, chosen)
        except (OSError, RunError) as error:
            self._message.show(error)
            return
        self._message.clear()
        if list(runs) != list(self._runs):
            self._runs = runs
            self._select.set_options(list(runs))
        self._progress.set_text(" · ".join(lines))
        self._previews.update(runs.get(chosen[0]) if chosen else None)
        if found != self._shown or not chosen:
            last = max([entry["step"] for log in found.values() for entry in log], default=1)
            self._last.set(last if self._last.value >= self._last.high else self._last.value, last)
            self._first.set(self._first.value, last)
            self._shown = found
            self._draw()

    def _read(self, chosen: list[str]) -> tuple[dict[str, Path], dict[str, Any], list[str]]:
        """The runs, the logs of those that are chosen, and a line on each."""
        runs = trained_below(self._settings.folder)
        found = {name: self._logs.read(runs[name]) for name in chosen if name in runs}
        return runs, found, [f"{name}: {progress(runs[name], log)}" for name, log in found.items()]

    def _draw(self) -> None:
        first = self._first.value or None
        last = self._last.value if max(first or 0, 1) <= self._last.value < self._last.high else None
        for chart, element in zip(CHARTS, self._charts, strict=True):
            options = chart_options(chart, self._shown, first, last)
            element.options.clear()
            element.options.update(options)
            element.update()

    async def _describe(self) -> None:
        """The config of one run, or what differs between several."""
        names = [name for name in self._select.value or [] if name in self._runs]
        self._title.set_text("Config" if len(names) < 2 else "What differs")
        self._config.clear()
        try:
            if len(names) == 1:
                _, described, _ = await asyncio.to_thread(describe, self._runs[names[0]])
                table: Sequence[Sequence[str]] = described
            else:
                found = {name: read_config(self._runs[name]) for name in names}
                table = [["", *names], *([key, *values.values()] for key, values in differences(found))]
        except (OSError, RunError) as error:
            self._message.show(error)
            return
        with self._config:
            _table(table)


def _table(rows: Sequence[Sequence[str]]) -> None:
    with ui.element("table").classes("config"):
        for cells in rows:
            with ui.element("tr"):
                for cell in cells:
                    with ui.element("td"):
                        ui.label(visible(cell))


def _changed(run: Path) -> float:
    file = run / "log.jsonl"
    return file.stat().st_mtime if file.exists() else 0.0
