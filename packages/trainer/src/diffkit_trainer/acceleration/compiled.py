"""A network compiled by torch.compile where that works."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffkit_trainer.errors import first_line

__all__ = ["Compiled", "keep_compiled"]


class Compiled(nn.Module):
    """The network, compiled at its first call; where that fails, the network itself from then on, with one warning.

    Inputs have one shape: each further shape is compiled anew. backend: of torch.compile.

    >>> Compiled(nn.Linear(2, 3), backend="eager")(torch.ones(1, 2)).shape
    torch.Size([1, 3])
    """

    def __init__(self, network: nn.Module, *, backend: str = "inductor") -> None:
        super().__init__()
        self.network = network
        # a function, not torch's wrapper of a module, which would be a second module with the same weights
        self._compiled: Any = torch.compile(_call, dynamic=False, backend=backend)

    def forward(self, *positional: Any, **named: Any) -> Any:
        if self._compiled is None:
            return self.network(*positional, **named)
        try:
            return self._compiled(self.network, *positional, **named)
        except Exception as error:  # whatever a compiler raises; an error of the network comes again below
            result = self.network(*positional, **named)
            self._compiled = None
            cause = getattr(error, "inner_exception", error)  # of a backend
            warnings.warn(f"training and sampling are slower: torch.compile failed ({first_line(cause)})", stacklevel=2)
            return result


def keep_compiled(folder: Path) -> None:
    """Keep what this process compiles in a folder, for the next one, unless $TORCHINDUCTOR_CACHE_DIR names another."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def _call(network: nn.Module, *positional: Any, **named: Any) -> Any:
    return network(*positional, **named)
