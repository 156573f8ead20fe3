"""Generated images in the page: enlarged, each with what saves it and the command that makes it again."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from diffkit_cli.ui.elements import copy_text, image, set_image
from diffkit_cli.ui.pictures import png_file, png_url
from diffkit_cli.ui.play.made import Made

__all__ = ["Gallery"]


class Gallery:
    """Cards of images. kind: "", "large" or "strip", how they are arranged."""

    def __init__(self, kind: str = "") -> None:
        self._made = list[Made | None]()
        self._images, self._buttons, self._captions = list[ui.element](), list[ui.element](), list[str]()
        self._grid = ui.element("div").classes(f"gallery {kind}")

    def begin(self, captions: Sequence[str]) -> None:
        """As many empty cards; where there are as many already, their images stay until they are replaced."""
        self._made = []
        for row in self._buttons:
            row.classes(add="waiting")
        if list(captions) == self._captions:
            return
        self._captions = list(captions)
        self._grid.clear()
        self._images, self._buttons = [], []
        with self._grid:
            for i, caption in enumerate(captions):
                with ui.element("figure"):
                    self._images.append(image(caption))
                    with ui.element("figcaption"):
                        ui.label(caption)
                        with ui.row().classes("gap-0 no-wrap waiting") as row:
                            self._button("download", f"Save {caption}", i, self._save)
                            self._button("content_copy", f"Copy the command of {caption}", i, self._copy)
                        self._buttons.append(row)

    def show(self, values: Sequence[Any]) -> None:
        """Other images in the cards, (C, *space) each."""
        for element, each in zip(self._images, values, strict=False):
            set_image(element, png_url(each))

    def finish(self, made: Sequence[Made]) -> None:
        """The last images, as many as are given, are finished: they can be saved."""
        self._made = [*[None] * (len(self._images) - len(made)), *made]
        for row, each in zip(self._buttons, self._made, strict=True):
            row.classes(remove="waiting" if each else "", add="" if each else "waiting")

    def _button(self, icon: str, label: str, i: int, call: Callable[[Made], Any]) -> None:
        button = ui.button(icon=icon, on_click=lambda: call(made) if (made := dict(enumerate(self._made)).get(i)) else None)
        with button.props(f'flat dense round size=sm aria-label="{label}"'):
            ui.tooltip(label)

    def _save(self, made: Made) -> None:
        ui.download.content(png_file(made.values, made.metadata), f"{made.name}.png", "image/png")

    def _copy(self, made: Made) -> None:
        copy_text(made.command)
