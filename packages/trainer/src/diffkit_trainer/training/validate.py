"""Checks before the first step: the options against each other, the schedule, the images and the network."""

import inspect
from typing import Any

import torch
from diffkit_schedules import Schedule, condition_value, target, to_x0
from torch import nn

from diffkit_trainer.checkpoint_limits import DTYPES, MAX_AXES, MAX_TENSORS
from diffkit_trainer.data.images import Images
from diffkit_trainer.options import Options
from diffkit_trainer.training.optimisation.lr_schedules import LR_SCHEDULES

__all__ = ["validate_network", "validate_options", "validate_preconditioner"]


def validate_options(options: Options, schedule: Schedule, images: Images, processes: int) -> None:
    """Raises ValueError for options that contradict each other, the schedule or the images.

    It refuses a prediction that cannot be sampled: the first step of sampling, at t = 1, needs x0.
    """
    if options.batch_size < processes:
        raise ValueError(f"batch_size must be at least the number of processes, {processes}; got {options.batch_size}")
    if options.class_dropout is not None and images.labels is None and not images.conditions:
        raise ValueError("class_dropout needs images with classes (a subfolder for each, or labels in an IDX file) or conditions")
    if options.channels_last and len(images.shape) != 3:
        raise ValueError(f"channels_last is for images (C, H, W), got samples {images.shape}: leave it out")
    if options.compile and options.shard:
        raise ValueError("compile and shard cannot be combined")
    if options.optimiser == "muon" and options.shard:
        raise ValueError("optimiser 'muon' and shard cannot be combined: Muon needs each matrix on one device")
    falling = LR_SCHEDULES[options.lr_schedule] is not None
    if falling and options.decay_steps is None:
        raise ValueError(f"lr_schedule {options.lr_schedule!r} needs decay_steps >= 1, the updates it takes to fall; got none")
    if not falling and options.decay_steps is not None:
        found = f"{options.decay_steps} with {options.lr_schedule!r}"
        raise ValueError(f"decay_steps is for an lr_schedule that falls, got {found}: leave one of them out")
    x = torch.zeros(1)
    target(x, x, schedule(1.0), options.prediction)
    to_x0(x, x, schedule(1.0), options.prediction)
    condition_value(schedule, 1.0, options.condition)


def validate_network(model: nn.Module, images: Images, options: Options) -> None:
    """Raises ValueError for a network that cannot be trained, or that no checkpoint could store.

    The network's attribute `condition`, where it has one, must be that of the trainer, and its `num_classes` the number of the
    images' classes. That number is the label of the null class, unless `null_class` is False. It must take the arguments that it
    will be called with.
    """
    _validate_condition(getattr(model, "condition", None), options.condition)
    _validate_classes(model, images, None if images.labels is None else options.class_dropout)
    _validate_arguments(model, images, options)
    _validate_tensors(model)


def validate_preconditioner(model: nn.Module, options: Options, schedule: Schedule) -> None:
    """Raises ValueError for a network with an `output_scale` that was made for another prediction or path of the schedule."""
    if not hasattr(model, "output_scale"):
        return
    path = getattr(schedule, "path", None)
    for name, found in (("prediction", options.prediction), ("path", path)):
        own = getattr(model, name, found)
        if own != found:
            raise ValueError(f"{name} must be the network's own, {own!r}; got {found!r}")


def _validate_arguments(model: nn.Module, images: Images, options: Options) -> None:
    """Raises ValueError where `forward` does not take the arguments of `Trainer`, or the vectors and maps are not the images'."""
    labels = ["class_labels"] if images.labels is not None and options.class_dropout is not None else []
    names = [*labels, *images.conditions]
    if not names:
        return
    try:
        inspect.signature(model.forward).bind(None, None, **dict.fromkeys(names))
    except TypeError as error:
        called = ", ".join(["x", "condition", *(f"{name}=" for name in names)])
        raise ValueError(f"the network must be callable as network({called}): {error}") from None
    expected = {name: 1 if each.ndim == 1 else each.shape[1] for name, each in images.conditions.items()}
    of_space = {name for name, each in images.conditions.items() if each.ndim == images.pixels.ndim}
    for kind, own in (("vectors", expected.keys() - of_space), ("maps", of_space)):
        found, wanted = getattr(model, kind, None), {name: expected[name] for name in expected if name in own}
        if found is not None and found != wanted:
            raise ValueError(f"the network's {kind} must be those of the images, {wanted}; got {found}")


def _validate_condition(own: Any, given: str) -> None:
    if isinstance(own, str) and own != given:
        raise ValueError(f"condition must be the network's own, {own!r}; got {given!r}")


def _validate_classes(model: nn.Module, images: Images, class_dropout: float | None) -> None:
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


def _validate_tensors(model: nn.Module) -> None:
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
    state, types = model.state_dict(), [dtype.name for dtype in DTYPES.values()]
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{name!r} must be a tensor for a checkpoint to hold it, got {type(value).__name__}")
        if str(value.dtype).removeprefix("torch.") not in types or value.ndim > MAX_AXES:
            held = f"{', '.join(types)} of {MAX_AXES} axes at most"
            raise ValueError(f"{name!r} must be of a type that a checkpoint holds, {held}; got {value.dtype} of {value.ndim}")
    count = max(len(state), 3 * len(trained))  # of each parameter AdamW keeps three
    if count > MAX_TENSORS:
        raise ValueError(
            f"the network and its optimiser have {count} tensors, a checkpoint holds at most {MAX_TENSORS} in a file"
        )
