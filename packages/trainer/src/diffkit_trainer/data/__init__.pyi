from .colour_and_crop import Size, height_and_width
from .conditions.columns import with_columns
from .conditions.given import GIVEN, with_given
from .sources import IMAGE_FILES, source_kind

__all__ = ["GIVEN", "IMAGE_FILES", "Size", "height_and_width", "source_kind", "with_columns", "with_given"]
