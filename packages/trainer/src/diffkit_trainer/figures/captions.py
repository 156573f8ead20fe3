"""Captions on images: labels for the rows of a grid, titles above images side by side."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw
from torch import Tensor

from diffkit_trainer.figures.font import font
from diffkit_trainer.figures.grid import grid

__all__ = ["labelled_grid", "side_by_side"]

MARGIN = 8


def labelled_grid(
    pixels: Tensor,
    labels: Sequence[str],
    *,
    columns: int,
    captions: Sequence[str] = (),
    caption: str = "",
    padding: int = 2,
    scale: int | None = None,
) -> Image.Image:
    """A grid, see `diffkit_trainer.grid`, with a label at the left of each row and a caption below.

    pixels: uint8 (N, 1 or 3, H, W). A label may have several lines; it is black on white, in the middle of its row's height.
    captions: of the images, as in `grid`. Raises ValueError unless there is one label for each row, and as `grid` does.
    """
    image = grid(pixels, columns, padding, scale, captions)
    rows = math.ceil(len(pixels) / columns)
    if len(labels) != rows:
        raise ValueError(f"{rows} rows need one label each, got {len(labels)}")
    row_height = (image.height - padding) / rows
    lines = max(label.count("\n") + 1 for label in labels)
    label_font = font(max(9, min(16, round(row_height / (1.4 * lines)))))
    ruler = ImageDraw.Draw(image)
    left = math.ceil(max(ruler.multiline_textbbox((0, 0), label, font=label_font)[2] for label in labels)) + 2 * MARGIN
    foot = 2 * MARGIN + 12 if caption else 0
    canvas = Image.new(image.mode, (left + image.width, image.height + foot), "white")
    canvas.paste(image, (left, 0))
    draw = ImageDraw.Draw(canvas)
    for row, label in enumerate(labels):
        middle = padding + (row + 0.5) * row_height - padding / 2
        draw.multiline_text((left - MARGIN, middle), label, fill="black", font=label_font, anchor="rm", align="right")
    if caption:
        draw.text((left + image.width / 2, image.height + foot / 2), caption, fill="black", font=font(12), anchor="mm")
    return canvas


def side_by_side(images: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """The images side by side on white, each below its title. Raises ValueError unless there is one title for each image.

    >>> side_by_side([Image.new("L", (64, 40)), Image.new("L", (64, 64))], ["EMA", "raw"]).size
    (136, 92)
    """
    if not images or len(images) != len(titles):
        raise ValueError(f"expected one title for each image, and at least one; got {len(images)} images, {len(titles)} titles")
    head, title_font = 2 * MARGIN + 12, font(12)
    width, height = sum(image.width for image in images) + MARGIN * (len(images) - 1), max(image.height for image in images)
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    canvas = Image.new(mode, (width, height + head), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    for image, title in zip(images, titles, strict=True):
        canvas.paste(image, (left, head))
        draw.text((left + image.width / 2, head / 2), title, fill="black", font=title_font, anchor="mm")
        left += image.width + MARGIN
    return canvas
