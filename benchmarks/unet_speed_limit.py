"""The tutorial network's convolutions against the CPU's peak: python benchmarks/unet_speed_limit.py.

Each convolution is timed alone, in the network's memory format, and compared with a product of two 2048 x 2048 matrices. The
total of the convolutions bounds the network's speed. One thread and CPU time, so that other processes matter little.
"""

import time
from collections.abc import Callable

import torch
from diffkit_unet import keep_memory, preset
from torch import Tensor, nn

BATCH, SIZE = 32, 64


def main() -> None:
    torch.set_num_threads(1)
    keep_memory()
    network = preset("tutorial").eval()
    inputs: list[tuple[nn.Conv2d, Tensor]] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda layer, given: inputs.append((layer, given[0].detach())))
    x, level = torch.randn(BATCH, 3, SIZE, SIZE), torch.rand(BATCH)
    with torch.no_grad():
        network(x, level)
        convolutions = list(inputs)
        matrix = torch.randn(2048, 2048)
        product = 2 * 2048**3 / seconds(lambda: matrix @ matrix)
        print(f"a product of matrices                    {product / 1e9:6.1f} GFLOP/s")
        operations = {
            kernel: sum(work(layer, x) for layer, x in convolutions if layer.kernel_size[0] == kernel) for kernel in (1, 3)
        }
        for kernel, total in operations.items():
            spent = sum(seconds(lambda: layer(x)) for layer, x in convolutions if layer.kernel_size[0] == kernel)  # noqa: B023
            print(f"convolutions {kernel}x{kernel}, {total / BATCH / 1e9:.3f} GFLOP an image {total / spent / 1e9:6.1f} GFLOP/s")
    both = sum(operations.values())
    print(f"at the product's rate: predict {BATCH * product / both:.0f}, train {BATCH * product / both / 3:.0f} images/s")


def work(layer: nn.Conv2d, x: Tensor) -> int:
    """Floating-point operations of a convolution that keeps the size."""
    return 2 * x.shape[0] * x.shape[2] * x.shape[3] * layer.weight.numel()


def seconds(once: Callable[[], object], times: int = 7) -> float:
    """The minimum CPU time of one call."""
    once()
    minimum = float("inf")
    for _ in range(times):
        start = time.process_time()
        once()
        minimum = min(minimum, time.process_time() - start)
    return minimum


if __name__ == "__main__":
    main()
