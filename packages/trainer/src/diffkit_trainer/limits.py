"""What a checkpoint can hold: types, axes and number of tensors."""

import torch

__all__ = ["DTYPES", "MAX_AXES", "MAX_TENSORS"]

MAX_AXES = 8
MAX_TENSORS = 20_000
DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool},
}
