"""The tab "Play": a network, its options, and what it generates with them."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui

from diffkit_cli.bundled import BUNDLED, name_of
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.ui.elements import Message
from diffkit_cli.ui.models import open_cached, steps_of
from diffkit_cli.ui.play.controls import IN_TURN, Controls
from diffkit_cli.ui.play.counts import CountsPanel
from diffkit_cli.ui.play.edit import EditPanel
from diffkit_cli.ui.play.explain import ExplainPanel
from diffkit_cli.ui.play.interpolate import InterpolatePanel
from diffkit_cli.ui.play.sample import SamplePanel
from diffkit_cli.ui.runs import runs_below
from diffkit_cli.ui.settings import Settings

__all__ = ["PlayTab"]

NEWEST = "newest"
PANELS = ("Samples", "Two seeds", "Numbers of steps", "Your image", "Explain")


class PlayTab:
    """The elements of the tab. A change of a control stops the panel's computation, and begins it again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: LoadedModel | None = None
        self._runs = self._find_runs()
        self._changes, self._started, self._closed = 0, False, False
        with ui.element("div").classes("play"):
            with ui.card().classes("controls").props("flat bordered"):
                run = next(iter(self._runs))
                self._run = ui.select(list(self._runs), value=run, label="Run", on_change=self._other_run)
                self._run.props("dense outlined options-dense").classes("w-full").on("focus", self._update_runs)
                self._step = ui.select([NEWEST], value=NEWEST, label="Checkpoint", on_change=self.open)
                self._step.props("dense outlined options-dense").classes("w-full")
                self._controls = Controls(settings, self.refresh)
            with ui.column().classes("results"):
                self._message = Message()
                self._loading = ui.label().classes("muted").props("role=status")
                with ui.tabs(on_change=self._other_panel).props("dense no-caps align=left inline-label") as tabs:
                    for name in PANELS:
                        ui.tab(name)
                panels: tuple[Any, ...] = (partial(SamplePanel, settings), InterpolatePanel, CountsPanel, EditPanel, ExplainPanel)
                self._panels: dict[str, Any] = {}
                with ui.tab_panels(tabs, value=PANELS[0], animated=False, keep_alive=True).classes("w-full bare"):
                    for name, panel in zip(PANELS, panels, strict=True):
                        with ui.tab_panel(name).classes("bare w-full"):
                            self._panels[name] = panel(self.refresh)
        self._tabs = tabs
        self._loading.set_visibility(False)
        ui.context.client.on_disconnect(self._stop)
        ui.context.client.on_delete(self._close)

    async def start(self) -> None:
        """Open the first run, once."""
        if not self._started:
            self._started = True
            await self.open()

    async def open(self) -> None:
        """Load the run that is chosen, and generate."""
        run, step = self._runs[self._run.value], None if self._step.value == NEWEST else int(self._step.value)
        self._stop()
        self._loaded = None
        self._message.clear()
        self._loading.set_text(f"loading {self._run.value}")
        self._loading.set_visibility(True)
        try:
            loaded = await asyncio.to_thread(open_cached, run, step, self._settings.device)
        except Exception as error:  # a damaged run may raise anything; the page lives on
            self._message.show(error)
            return
        finally:
            self._loading.set_visibility(False)
        if run == self._runs.get(self._run.value) and not self._closed:
            self._loaded = loaded
            self._controls.build(loaded)
            await self.refresh()

    async def refresh(self) -> None:
        """Generate with the options as they are now."""
        if self._loaded is None:
            return
        self._changes += 1
        change, panel = self._changes, self._panels[self._tabs.value]
        self._controls.show_only(panel.options, getattr(panel, "no_class", IN_TURN))
        self._message.clear()
        panel.stop()
        try:
            await panel.refresh(self._loaded, self._controls.given())
        except Exception as error:  # a network of one's own may raise anything; the page lives on
            if change == self._changes:
                self._message.show(error)

    async def _other_run(self) -> None:
        try:
            steps = await asyncio.to_thread(steps_of, self._runs[self._run.value])
        except Exception as error:
            self._message.show(error)
            return
        newest = self._step.value == NEWEST
        self._step.set_options([NEWEST, *map(str, steps)], value=NEWEST)
        if newest:
            await self.open()

    async def _other_panel(self) -> None:
        self._stop()
        await self.refresh()

    def _close(self) -> None:
        self._closed = True

    def _stop(self) -> None:
        for panel in self._panels.values():
            panel.stop()

    async def _update_runs(self) -> None:
        found = await asyncio.to_thread(self._find_runs)
        if list(found) != list(self._runs):
            self._runs = found
            self._run.set_options(list(found))

    def _find_runs(self) -> dict[str, Path]:
        return {**runs_below(self._settings.folder), **{name_of(path): path for path in BUNDLED.values()}}
