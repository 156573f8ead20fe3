from .colour_and_crop import Size, height_and_width
from .conditions.columns import with_columns
from .conditions.given import GIVEN, with_given
from .sources import source_kind

__all__ = ["GIVEN", "Size", "height_and_width", "source_kind", "with_columns", "with_given"]
