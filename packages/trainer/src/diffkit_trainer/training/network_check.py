"""What a network must be: told what it was made for, and of tensors that a checkpoint holds."""

from typing import Any

import torch
from torch import nn

from diffkit_trainer.data.images import Images
from diffkit_trainer.files.tensors import DTYPES
from diffkit_trainer.files.tensors import MAX_TENSORS as MOST_TENSORS

__all__ = ["refuse_network"]

MOST_AXES = 8


def refuse_network(model: nn.Module, images: Images, condition: str, class_dropout: float | None) -> None:
    """Raises ValueError, naming what is wrong, for a network that would be trained for nothing, or not at all.

    Where the network says them, its `condition` must be the trainer's, and its `num_classes` the number of the images' classes
    (the label of "no class" is that number, unless it says `null_class` = False). A checkpoint must be able to hold it.
    """
    _refuse_condition(getattr(model, "condition", None), condition)
    _refuse_classes(model, images, class_dropout)
    _refuse_tensors(model)


def _refuse_condition(own: Any, given: str) -> None:
    if isinstance(own, str) and own != given:
        raise ValueError(f"condition must be the network's own, {own!r}; got {given!r}")


def _refuse_classes(model: nn.Module, images: Images, class_dropout: float | None) -> None:
    missing = object()
    own, classes = getattr(model, "num_classes", missing), len(images.classes)
    if own is missing:
        return
    if class_dropout is None:
        if own is not None:
            raise ValueError(
                f"the network has num_classes {own} and would be given no labels: give class_dropout (0.1, say; 1.0 for none)"
            )
    elif own is None:
        raise ValueError(f"class_dropout needs a network with classes: build it with num_classes={classes}, or leave it out")
    elif own != classes:
        raise ValueError(f"the network's num_classes must be that of the images, {classes}; got {own}")
    elif class_dropout > 0 and getattr(model, "null_class", True) is False:
        raise ValueError(f'class_dropout must be 0 for a network without a "no class", got {class_dropout}')


def _refuse_tensors(model: nn.Module) -> None:
    if any(nn.parameter.is_lazy(each) for each in model.parameters()):
        raise ValueError("the network has lazy parameters without a shape: call it once before")
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    if not trained:
        raise ValueError("the network has no parameter to train: requires_grad is false for all")
    for name, parameter in trained:
        if parameter.dtype.itemsize < 2 or not parameter.is_floating_point():
            raise ValueError(
                f"the parameter {name!r} must be of floating-point numbers of 16 bits or more, got {parameter.dtype}"
            )
    state = model.state_dict()
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{name!r} must be a tensor for a checkpoint to hold it, got {type(value).__name__}")
        if value.dtype not in DTYPES.values() or value.ndim > MOST_AXES:
            held = f"{', '.join(str(dtype).removeprefix('torch.') for dtype in DTYPES.values())} of {MOST_AXES} axes at most"
            raise ValueError(f"{name!r} must be of a type that a checkpoint holds, {held}; got {value.dtype} of {value.ndim}")
    count = max(len(state), 3 * len(trained))  # of each parameter AdamW keeps three
    if count > MOST_TENSORS:
        raise ValueError(
            f"the network and its optimiser have {count} tensors, a checkpoint holds at most {MOST_TENSORS} in a file"
        )
