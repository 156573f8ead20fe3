"""Lists of tensors for torch's foreach calls, which are fast for tensors of one type and device."""

from collections.abc import Iterable, Iterator

from torch import Tensor

__all__ = ["by_kind"]


def by_kind(tensors: Iterable[Tensor], *others: Iterable[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """The tensors in lists of one type and device each; the lists `others` are split in the same way.

    On an accelerator a foreach call is one kernel launch for such a list, but one for each tensor of a mixed list.

    >>> import torch
    >>> [len(group) for group, in by_kind([torch.ones(2), torch.ones(1, dtype=torch.float64), torch.ones(3)])]
    [2, 1]
    """
    kinds: dict[object, list[tuple[Tensor, ...]]] = {}
    for row in zip(tensors, *others, strict=True):
        kinds.setdefault((row[0].dtype, row[0].device), []).append(row)
    for rows in kinds.values():
        yield tuple(list(column) for column in zip(*rows, strict=True))
