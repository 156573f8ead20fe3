"""What a checkpoint can hold: types, axes and number of tensors. Imports no torch."""

from typing import NamedTuple

__all__ = ["DTYPES", "MAX_AXES", "MAX_TENSORS", "DType"]

MAX_AXES = 8
MAX_TENSORS = 20_000


class DType(NamedTuple):
    """torch's name of a type of numbers, and the size of a number in bytes."""

    name: str
    nbytes: int


DTYPES = {
    **{"F64": DType("float64", 8), "F32": DType("float32", 4), "F16": DType("float16", 2), "BF16": DType("bfloat16", 2)},
    **{"I64": DType("int64", 8), "I32": DType("int32", 4), "I16": DType("int16", 2), "I8": DType("int8", 1)},
    **{"U8": DType("uint8", 1), "BOOL": DType("bool", 1)},
}
"""By their names in safetensors files."""
