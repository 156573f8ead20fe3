from .atomic import require_free_space
from .header import read_header
from .regular_file import read_file
from .text import printable
from .typed_json import NonNegativeInt, Text, as_type, convert, read_document, write_document

__all__ = [
    "NonNegativeInt",
    "Text",
    "as_type",
    "convert",
    "printable",
    "read_document",
    "read_file",
    "read_header",
    "require_free_space",
    "write_document",
]
