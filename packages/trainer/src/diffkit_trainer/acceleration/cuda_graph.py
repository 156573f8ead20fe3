"""A function of tensors as one CUDA graph: a single launch in place of hundreds."""

import warnings
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from diffkit_trainer.errors import first_line

__all__ = ["CudaGraph"]

WARM_UP = 3
"""Calls without a graph: they allocate moments, compile, and let cuDNN choose its algorithms."""


class CudaGraph:
    """The function, recorded at the fourth call for inputs of the same shapes, and replayed from then on.

    function: of tensors by position and by name, on one CUDA device; it returns a tensor, of which each call gives a copy.
    It must not wait for the device. A replay repeats the kernels on the same memory: whatever else it reads or changes must be
    tensors that change in place. Where it cannot be recorded, it is called without a graph, with one warning. On other devices
    it is called as it is.

    >>> twice = CudaGraph(lambda x: 2 * x)
    >>> twice(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function
        self._recordable = True
        self._kind: Hashable = None
        self._calls = 0
        self._graph: Any = None
        self._stream: Any = None

    def __call__(self, /, *positional: Tensor, **named: Tensor) -> Tensor:
        inputs = (*positional, *named.values())
        if not self._recordable or not self._is_for(inputs):
            return self._function(*positional, **named)
        kind = (tuple(named), *((each.shape, each.stride(), each.dtype, each.device) for each in inputs))
        if kind != self._kind:
            self._kind, self._calls, self._graph = kind, 0, None
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._warm_up(positional, named)
        if self._graph is None:
            try:
                self._record(positional, named)
            except RuntimeError as error:
                self._recordable, self._graph = False, None
                warnings.warn(f"training and sampling are slower, without a CUDA graph: {first_line(error)}", stacklevel=2)
                return self._function(*positional, **named)
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._result.clone()

    def _record(self, positional: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        own, by_name = [each.clone() for each in positional], {name: each.clone() for name, each in named.items()}
        self._inputs = (*own, *by_name.values())
        graph, recording = self._recorder()
        with recording:
            self._result = self._function(*own, **by_name)
        self._graph = graph

    def _is_for(self, inputs: tuple[Tensor, ...]) -> bool:
        return all(each.is_cuda for each in inputs)

    def _warm_up(self, positional: tuple[Tensor, ...], named: dict[str, Tensor]) -> Tensor:
        """A call on the stream of the recording, as torch asks for."""
        main = torch.cuda.current_stream()
        self._stream = self._stream or torch.cuda.Stream()
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            result = self._function(*positional, **named)
        main.wait_stream(self._stream)
        return result

    def _recorder(self) -> tuple[Any, AbstractContextManager[Any]]:
        """A graph, and the block that records it."""
        graph = torch.cuda.CUDAGraph()
        # of this thread alone: another one may copy a checkpoint
        return graph, torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
