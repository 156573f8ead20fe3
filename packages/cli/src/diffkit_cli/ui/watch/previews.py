"""The previews of a run: the same seeds as the training goes on."""

from pathlib import Path

from diffkit_trainer import DataError
from nicegui import ui

from diffkit_cli.ui.elements import image, set_image
from diffkit_cli.ui.pictures import checked_png
from diffkit_cli.ui.sliders import Slider
from diffkit_cli.ui.watch.state import Preview, previews

__all__ = ["Previews"]


class Previews:
    """One preview, and a slider over the steps; it stays at the newest until it is moved."""

    def __init__(self) -> None:
        self._found = list[Preview]()
        self._run: Path | None = None
        self._caption = ui.label("no preview yet").classes("muted").props("role=status")
        self._slider = Slider("Preview at training step", 0, 0, 1, on_change=self._show)
        self._image = image("preview").classes("preview")

    def update(self, run: Path | None) -> None:
        """Read the folder of the previews of a run."""
        found = previews(run) if run else []
        if run == self._run and found == self._found:
            return
        newest = run != self._run or self._slider.value >= len(self._found) - 1
        self._run, self._found = run, found
        self._slider.set_visibility(len(found) > 1)
        self._image.set_visibility(bool(found))
        last = max(len(found) - 1, 0)
        self._slider.set(last if newest else min(self._slider.value, last), last)
        self._show()

    def _show(self) -> None:
        if not self._found:
            self._caption.set_text("no preview yet")
            return
        step, path = self._found[min(max(int(self._slider.value), 0), len(self._found) - 1)]
        try:
            set_image(self._image, checked_png(path), f"samples at training step {step}")
            self._caption.set_text(f"training step {step:,}")
        except DataError as error:
            self._caption.set_text(str(error))
