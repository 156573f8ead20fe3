"""Which parameters of a network are not trained."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from diffkit_trainer.options import nearest

__all__ = ["freeze"]


def freeze(model: nn.Module, patterns: Sequence[str]) -> int:
    """Exclude the parameters whose names match a pattern from training; returns how many numbers these parameters have.

    patterns: of the shell, where * is any text, dots included. Batch norm's running statistics are no parameters: they follow
    the data. Raises ValueError for patterns that match no parameter, all at once, and where no parameter is left to train.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    >>> freeze(network, ["0.*"])
    9
    >>> [name for name, each in network.named_parameters() if each.requires_grad]
    ['1.weight', '1.bias']
    """
    names = [name for name, _ in model.named_parameters()]
    unmatched = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if unmatched:
        raise ValueError(
            f"freeze: no parameter has a name like {', '.join(map(repr, unmatched))}: {nearest(unmatched[0], names, 'names')}"
        )
    frozen = [each for name, each in model.named_parameters() if any(fnmatchcase(name, pattern) for pattern in patterns)]
    for parameter in frozen:
        parameter.requires_grad_(False)
    if patterns and not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"freeze: {', '.join(map(repr, patterns))} leaves no parameter to train")
    return sum(parameter.numel() for parameter in frozen)
