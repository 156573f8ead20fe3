"""The same noise sampled in several numbers of steps."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nicegui import ui

from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import Given
from diffkit_cli.sampling.parse import parse_counts
from diffkit_cli.sampling.plan import Plan, make_plan
from diffkit_cli.terminal.console import plural
from diffkit_cli.terminal.progress import duration
from diffkit_cli.ui.computation import Computation
from diffkit_cli.ui.play.estimates import captions_of, estimates
from diffkit_cli.ui.play.gallery import Gallery
from diffkit_cli.ui.play.made import made_by

__all__ = ["CountsPanel"]

COUNTS = "1, 2, 3, 5, 10, 20, 50"


class CountsPanel:
    """The images of `diffkit sample` for each number of steps, one row each."""

    options = ("seed", "n", "classes", "guidance", "sampler", "eta", "spacing")

    def __init__(self, changed: Callable[[], Any]) -> None:
        self._computation, self._rows = Computation(), list[tuple[ui.label, Gallery]]()
        self._counts = ui.input("Numbers of steps", value=COUNTS, on_change=changed).props("dense outlined debounce=400")
        self._counts.classes("w-72")
        self._column = ui.column().classes("w-full gap-2")

    async def refresh(self, loaded: LoadedModel, given: Given) -> None:
        """Generate the rows, one after the other. Raises what sampling raises."""
        counts = parse_counts(self._counts.value or "")
        plans = [make_plan(loaded, {**given, "steps": count}) for count in counts]
        self._begin(plans)

        def show(row: tuple[int, float, Any] | None) -> None:
            if row is None:
                return
            k, seconds, values = row
            label, gallery = self._rows[k]
            label.set_text(f"{plural(plans[k].options.steps, 'step')}, {duration(seconds)}")
            gallery.show(values)
            gallery.finish(made_by(plans[k], {**given, "steps": counts[k]}, values))

        await self._computation.run(lambda: _rows(plans), show)

    def stop(self) -> None:
        """End what is being computed."""
        self._computation.stop()

    def _begin(self, plans: Sequence[Plan]) -> None:
        if len(self._rows) != len(plans):
            self._column.clear()
            with self._column:
                self._rows = [(ui.label().classes("heading"), Gallery("strip")) for _ in plans]
        for (label, gallery), plan in zip(self._rows, plans, strict=True):
            label.set_text(plural(plan.options.steps, "step"))
            gallery.begin(captions_of(plan))


def _rows(plans: Sequence[Plan]) -> Iterator[tuple[int, float, Any] | None]:
    """(k, seconds, values) of each plan k; None after each other step."""
    for k, plan in enumerate(plans):
        begun, last = time.perf_counter(), None
        for _, last in estimates(plan):  # noqa: B007
            yield None
        yield k, time.perf_counter() - begun, last
