"""Samples as they form: the estimate of the clean image after each step, and a scrubber over the steps afterwards."""

from collections.abc import Callable, Iterator
from typing import Any

from nicegui import ui

from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import Given
from diffkit_cli.sampling.plan import make_plan
from diffkit_cli.ui.computation import Computation
from diffkit_cli.ui.play.estimates import captions_of, estimates
from diffkit_cli.ui.play.gallery import Gallery
from diffkit_cli.ui.play.made import made_by
from diffkit_cli.ui.play.nearest import Nearest, nearest_of
from diffkit_cli.ui.settings import Settings
from diffkit_cli.ui.sliders import Slider

__all__ = ["SamplePanel"]


class SamplePanel:
    """The images of `diffkit sample`."""

    options = ("seed", "n", "classes", "guidance", "steps", "sampler", "eta", "spacing")

    def __init__(self, settings: Settings, changed: Callable[[], Any]) -> None:
        self._settings, self._computation, self._frames = settings, Computation(), list[Any]()
        self._times: list[float] = []
        self._status = ui.label().classes("muted").props("role=status")
        self._gallery = Gallery()
        with ui.row().classes("w-full items-center no-wrap gap-4") as self._scrubber:
            ui.label("Step").classes("muted")
            self._slider = Slider("Sampling step shown", 1, 1, 2, on_change=self._scrub)
        self._scrubber.set_visibility(False)
        self._with_nearest = ui.checkbox("Nearest training images", on_change=changed)
        self._nearest = Gallery()

    async def refresh(self, loaded: LoadedModel, given: Given) -> None:
        """Generate with these options; what was computed before is stopped. Raises what sampling raises."""
        plan = make_plan(loaded, given)
        self._frames, self._times = [], list(plan.times)
        self._scrubber.set_visibility(False)
        self._gallery.begin(captions_of(plan))
        self._nearest.begin([])
        if await self._computation.run(lambda: estimates(plan), self._show):
            self._gallery.finish(made_by(plan, given, self._frames[-1][1]))
            self._slider.set(len(self._frames), len(self._frames))
            self._scrubber.set_visibility(len(self._frames) > 1)
            if self._with_nearest.value:
                await self._show_nearest(loaded, self._frames[-1][1])

    def stop(self) -> None:
        """End what is being computed."""
        self._computation.stop()

    async def _show_nearest(self, loaded: LoadedModel, values: Any) -> None:
        def find() -> Iterator[list[Nearest]]:
            yield nearest_of(loaded, values, self._settings)

        def show(found: list[Nearest]) -> None:
            self._nearest.begin([f"{each.distance:.1f} grey levels away" for each in found])
            self._nearest.show([each.values for each in found])

        await self._computation.run(find, show)

    def _show(self, frame: tuple[int, Any]) -> None:
        self._frames.append(frame)
        self._gallery.show(frame[1])
        self._say(frame[0])

    def _scrub(self) -> None:
        if self._scrubber.visible and self._frames:
            step, values = self._frames[min(max(int(self._slider.value), 1), len(self._frames)) - 1]
            self._gallery.show(values)
            self._say(step)

    def _say(self, k: int) -> None:
        steps = len(self._times) - 1
        self._status.set_text(f"step {k + 1} of {steps}: estimate of the clean image at t = {self._times[k]:.3f}")
