"""What a CUDA graph does, on a CPU."""

import torch
from diffkit_trainer import CudaGraph
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


def aliases(tree):
    """The tensors of an operation on the same memory, with the shapes that they have now."""
    return tree_map(lambda each: each.detach() if isinstance(each, torch.Tensor) else each, tree)


class Recording(TorchDispatchMode):
    """The operations of a block; `replay` repeats them on the same memory. The block itself is the first replay."""

    def __init__(self):
        super().__init__()
        self.operations, self.made = [], 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        before = aliases((arguments, named or {}))
        result = function(*arguments, **(named or {}))
        self.operations.append((function, *before, aliases(result)))
        return result

    @torch.no_grad()
    def replay(self):
        self.made += 1
        for function, arguments, named, result in self.operations if self.made > 1 else ():
            again = function(*aliases(arguments), **aliases(named))
            for own, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(own, torch.Tensor) and own.data_ptr() != new.data_ptr():
                    own.copy_(new)


class RecordedOnCpu(CudaGraph):
    """A `CudaGraph` whose graph is a `Recording`."""

    made: tuple[Recording, ...] = ()

    def _is_for(self, inputs):
        return True

    def _warm_up(self, positional, named):
        return self._function(*positional, **named)

    def _recorder(self):
        graph = Recording()
        RecordedOnCpu.made = (*RecordedOnCpu.made, graph)
        return graph, graph
