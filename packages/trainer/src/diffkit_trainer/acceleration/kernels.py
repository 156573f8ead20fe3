"""Which kernels torch may choose on a CUDA device."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from diffkit_trainer.options import Options

__all__ = ["chosen_kernels", "fast_kernels"]


@contextmanager
def chosen_kernels(options: Options, device: torch.device) -> Iterator[None]:
    """The block with cuDNN's fastest algorithms, and TF32 for products of float32 unless precision is "fp32"; as before after it.

    deterministic: the same bits at every run instead, by slower algorithms. On other devices nothing changes.

    >>> with chosen_kernels(Options(), torch.device("cpu")):
    ...     torch.backends.cudnn.benchmark
    False
    """
    if device.type != "cuda":
        yield
        return
    with fast_kernels(tf32=options.precision != "fp32", deterministic=options.deterministic):
        yield


@contextmanager
def fast_kernels(*, tf32: bool, deterministic: bool) -> Iterator[None]:
    """`chosen_kernels` of any device."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    products, strict = torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.use_deterministic_algorithms(deterministic or strict)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=not deterministic, deterministic=deterministic, allow_tf32=tf32):
            yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.use_deterministic_algorithms(strict)
