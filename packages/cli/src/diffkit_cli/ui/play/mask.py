"""A mask that is drawn on an image: white where the image is generated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffkit_trainer import decode_image
from nicegui import events, ui
from PIL import Image, ImageDraw

from diffkit_cli.ui.pictures import checked_png
from diffkit_cli.ui.sliders import Slider

__all__ = ["MaskEditor"]

WIDEST = 512
SHAPES: dict[str, list[tuple[float, float, float, float]]] = {
    "nothing": [],
    "left half": [(0, 0, 0.5, 1)],
    "right half": [(0.5, 0, 1, 1)],
    "top half": [(0, 0, 1, 0.5)],
    "bottom half": [(0, 0.5, 1, 1)],
    "middle": [(0.25, 0.25, 0.75, 0.75)],
}
"""Parts of the image to begin with, (left, top, right, bottom), which need no pointer."""


class MaskEditor:
    """An image with a brush; changed is called after each stroke."""

    def __init__(self, changed: Callable[[], Any]) -> None:
        self._changed, self._size, self._scale = changed, (1, 1), 1.0
        self._strokes, self._drawing = list[tuple[float, list[tuple[float, float]]]](), False
        with ui.row().classes("w-full items-center gap-4"):
            self._shape = ui.select(list(SHAPES), value="middle", label="Generate", on_change=self._begin_again)
            self._shape.props("dense outlined options-dense").classes("w-40")
            ui.label("Brush").classes("muted")
            self._brush = Slider("Width of the brush, in percent", 15, 2, 50)
            ui.button("Clear", on_click=self._clear).props("flat dense no-caps")
        pointer = ["pointerdown", "pointermove", "pointerup", "pointerleave"]
        self._image = ui.interactive_image(on_mouse=self._draw, events=pointer, sanitize=False).classes("pixels canvas")
        self._image.props('alt="the image, with the part to generate marked"')

    def open(self, path: Path) -> None:
        """Draw on another image. Raises DataError for a file that cannot be read."""
        shown = checked_png(path, WIDEST)
        self._size = decode_image(path).size
        self._scale = max(1.0, max(self._size) / WIDEST)
        self._strokes = []
        self._image.set_source(shown)
        self._show()

    def write(self, path: Path) -> None:
        """Write the mask at the size of the image."""
        mask = Image.new("L", self._size, 0)
        draw, (width, height) = ImageDraw.Draw(mask), self._size
        for left, top, right, bottom in SHAPES[self._shape.value]:
            draw.rectangle((left * width, top * height, right * width - 1, bottom * height - 1), fill=255)
        for brush, points in self._strokes:
            radius = brush / 2
            draw.line(points, fill=255, width=max(round(brush), 1), joint="curve")
            for x, y in points:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        mask.save(path, format="PNG")

    def _draw(self, event: events.MouseEventArguments) -> Any:
        point = (event.image_x * self._scale, event.image_y * self._scale)
        if event.type == "pointerdown":
            self._drawing = True
            self._strokes.append((self._brush.value / 100 * max(self._size), [point]))
        elif event.type == "pointermove" and self._drawing and event.buttons:
            self._strokes[-1][1].append(point)
        elif self._drawing and (event.type != "pointermove" or not event.buttons):
            self._drawing = False
            return self._changed()
        else:
            return None
        self._show()
        return None

    def _show(self) -> None:
        width, height = (side / self._scale for side in self._size)
        shapes = [
            f'<rect x="{left * width}" y="{top * height}" width="{(right - left) * width}" height="{(bottom - top) * height}"/>'
            for left, top, right, bottom in SHAPES[self._shape.value]
        ]
        for brush, points in self._strokes:
            path = " ".join(f"{x / self._scale:.2f},{y / self._scale:.2f}" for x, y in [*points, points[-1]])
            shapes.append(
                f'<polyline points="{path}" fill="none" stroke="#4c78dd" stroke-width="{brush / self._scale:.2f}"'
                ' stroke-linecap="round" stroke-linejoin="round"/>'
            )
        self._image.set_content(f'<g opacity=".55" fill="#4c78dd">{"".join(shapes)}</g>')

    def _begin_again(self) -> Any:
        self._strokes = []
        self._show()
        return self._changed()

    def _clear(self) -> Any:
        if self._shape.value == "nothing":
            return self._begin_again()
        self._shape.set_value("nothing")  # which begins again
        return None
