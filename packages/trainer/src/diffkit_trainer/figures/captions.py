"""Pictures that say what they are: a grid by its rows, several by their titles."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from diffkit_trainer.figures.grid import grid
from diffkit_trainer.figures.metadata import png_text
from diffkit_trainer.files.atomic import written

__all__ = ["font", "save_figure", "side_by_side", "with_captions"]

MARGIN = 8


def with_captions(
    pixels: Tensor, labels: Sequence[str], *, columns: int, caption: str = "", padding: int = 2, scale: int | None = None
) -> Image.Image:
    """A grid, see `diffkit_trainer.grid`, with a label left of each row, in the middle of its height; a caption below it all.

    pixels: uint8 (N, 1 or 3, H, W). A label may have several lines; it is drawn black on white. Raises ValueError unless there
    is one label a row, and as `grid` does.
    """
    picture = grid(pixels, columns, padding, scale)
    rows = math.ceil(len(pixels) / columns)
    if len(labels) != rows:
        raise ValueError(f"{rows} rows need one label each, got {len(labels)}")
    down = (picture.height - padding) / rows
    lines = max(label.count("\n") + 1 for label in labels)
    letters = font(max(9, min(16, round(down / (1.4 * lines)))))
    ruler = ImageDraw.Draw(picture)
    left = math.ceil(max(ruler.multiline_textbbox((0, 0), label, font=letters)[2] for label in labels)) + 2 * MARGIN
    foot = 2 * MARGIN + 12 if caption else 0
    canvas = Image.new(picture.mode, (left + picture.width, picture.height + foot), "white")
    canvas.paste(picture, (left, 0))
    draw = ImageDraw.Draw(canvas)
    for row, label in enumerate(labels):
        middle = padding + (row + 0.5) * down - padding / 2
        draw.multiline_text((left - MARGIN, middle), label, fill="black", font=letters, anchor="rm", align="right")
    if caption:
        draw.text((left + picture.width / 2, picture.height + foot / 2), caption, fill="black", font=font(12), anchor="mm")
    return canvas


def side_by_side(pictures: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """The pictures side by side, each under its title, on white. Raises ValueError unless there is one title a picture.

    >>> side_by_side([Image.new("L", (64, 40)), Image.new("L", (64, 64))], ["one", "other"]).size
    (136, 92)
    """
    if not pictures or len(pictures) != len(titles):
        raise ValueError(f"{len(pictures)} pictures need one title each, and one at least; got {len(titles)}")
    head, letters = 2 * MARGIN + 12, font(12)
    size = sum(picture.width for picture in pictures) + MARGIN * (len(pictures) - 1), max(each.height for each in pictures)
    canvas = Image.new(pictures[0].mode, (size[0], size[1] + head), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    for picture, title in zip(pictures, titles, strict=True):
        canvas.paste(picture, (left, head))
        draw.text((left + picture.width / 2, head / 2), title, fill="black", font=letters, anchor="mm")
        left += picture.width + MARGIN
    return canvas


def save_figure(path: str | Path, picture: Image.Image, note: Mapping[str, Any] | None = None) -> None:
    """Writes a picture as a PNG, whole or not at all, with a note that `read_metadata` reads back."""
    with written(Path(path)) as temporary:
        picture.save(temporary, format="PNG", pnginfo=png_text(note))


def font(size: int) -> Any:
    """Pillow's own font at a size in pixels; the one size it has where Pillow was built without FreeType."""
    return ImageFont.load_default(size)
