from .arrays.array_file import array_names, is_array_file, read_array
from .colour_and_crop import Size, height_and_width
from .conditions.columns import with_columns
from .conditions.given import GIVEN, with_given
from .sources import IMAGE_FILES, source_kind

__all__ = [
    "GIVEN",
    "IMAGE_FILES",
    "Size",
    "array_names",
    "height_and_width",
    "is_array_file",
    "read_array",
    "source_kind",
    "with_columns",
    "with_given",
]
