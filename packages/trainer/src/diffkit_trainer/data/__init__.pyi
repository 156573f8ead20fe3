from .colour_and_crop import Size, height_and_width
from .sources import source_kind

__all__ = ["Size", "height_and_width", "source_kind"]
