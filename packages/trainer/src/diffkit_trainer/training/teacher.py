"""What a network learns in place of the data: the answers of another network."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

__all__ = ["Teacher"]


class Teacher(Protocol):
    """Replaces the x0, t and eps of each batch by those that the network is to predict from alpha x0 + sigma eps at t.

    The loss, its weighting and everything else stay those of `losses`. The answers must be a function of the arguments alone, or
    a resumed training differs from one that never stopped.
    """

    def __call__(self, x0: Tensor, t: Tensor, eps: Tensor, given: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """x0, t and eps to learn, of the same shapes, (b, ...). given: the conditions of the samples by name."""
        ...

    def to_config(self) -> dict[str, Any]:
        """Everything that the answers depend on, as plain JSON: a resumed run must have the same."""
        ...
