"""The font of captions, and text that fits a width."""

from typing import Any

from PIL import ImageFont

from diffkit_trainer.files.text import printable

__all__ = ["fitted", "font"]


def font(size: int) -> Any:
    """Pillow's default font at a size in pixels: Latin letters. Without FreeType, Pillow has it in one size only."""
    return ImageFont.load_default(size)


def fitted(text: str, size: int, width: int) -> str:
    """The text in one line, cut where it is wider than `width` pixels in the `font` of a size.

    >>> fitted("rose", 11, 64), fitted("bird of paradise", 11, 64)
    ('rose', 'bird of par…')
    """
    text, face = printable(text), font(size)
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
