"""A network's evaluations while sampling, as fast as its device allows."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from diffkit_trainer.acceleration.compiled import Compiled
from diffkit_trainer.acceleration.cuda_graph import CudaGraph
from diffkit_trainer.acceleration.kernels import fast_kernels
from diffkit_trainer.acceleration.precision import autocast

__all__ = ["Evaluator"]


class Evaluator:
    """The network as a function of x, the noise level and conditions, all of them tensors, for every step of a sampler.

    precision: see `PRECISIONS`; x stays in the sampler's type, so that its state keeps all digits. compiled: once
    for all steps. On a CUDA device the evaluation of a shape is one CUDA graph. Where gradients are wanted, the network is called
    as it is.

    >>> Evaluator(nn.Conv2d(1, 1, 1), "bf16")(torch.ones(2, 1, 4, 4)).dtype
    torch.bfloat16
    """

    def __init__(self, network: nn.Module, precision: str = "fp32", *, compiled: bool = False, backend: str = "inductor") -> None:
        self.network, self.precision = network, precision
        self._network: Any = Compiled(network, backend=backend) if compiled else network
        self._evaluate = CudaGraph(self._in_precision)

    def __call__(self, x: Tensor, /, *positional: Tensor, **named: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            with autocast(self.precision, x.device):
                result: Tensor = self.network(x, *positional, **named)
            return result
        with fast_kernels(tf32=self.precision != "fp32", deterministic=False) if x.is_cuda else nullcontext():
            return self._evaluate(x, *positional, **named)

    def _in_precision(self, *positional: Tensor, **named: Tensor) -> Tensor:
        with autocast(self.precision, positional[0].device):
            result: Tensor = self._network(*positional, **named)
        return result
