"""The estimates of several denoisers, by one call of the model where their arguments can be concatenated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from diffkit_schedules import Array, namespace

from diffkit_samplers.denoiser import Denoiser
from diffkit_samplers.estimates import Denoise, Estimate, evaluate

__all__ = ["evaluate_each"]


def evaluate_each(denoises: Sequence[Denoise], x: Array, t: float) -> list[Estimate]:
    """The estimate of each denoise at x and t, without its eps.

    Where all are a `denoiser` of one model and differ in arrays with one row per sample alone, the model is called once.

    >>> import numpy as np
    >>> first, second = evaluate_each([lambda x, t: x, lambda x, t: 2 * x], np.ones(1), 0.5)
    >>> second.x0
    array([2.])
    """
    merged = _merged(denoises, x)
    if merged is None:
        return [evaluate(denoise, x, t)._replace(eps=None) for denoise in denoises]
    x0, _, v = evaluate(merged, namespace(x).concat([x] * len(denoises)), t)
    parts = [slice(k * x.shape[0], (k + 1) * x.shape[0]) for k in range(len(denoises))]
    return [Estimate(x0[part], None, v if isinstance(v, float) else v[part]) for part in parts]


def _merged(denoises: Sequence[Denoise], x: Array) -> Denoiser | None:
    """One denoiser for a batch of all; None where they differ in more than arrays with one row per sample."""
    several = [each for each in denoises if isinstance(each, Denoiser)]
    if len(several) < len(denoises) or any(each.model is not several[0].model for each in several):
        return None
    first, *others = (vars(replace(each, model_kwargs={})) for each in several)
    if any(each != first for each in others):
        return None
    try:
        return replace(several[0], model_kwargs=_concatenated([each.model_kwargs for each in several], x.shape[0]))
    except _NotABatchError:
        return None


class _NotABatchError(Exception):
    """Arguments that cannot be concatenated."""


def _concatenated(values: Sequence[Any], count: int) -> Any:
    """An argument of all denoisers, for a batch of `count` samples for each."""
    first, *others = values
    if isinstance(first, Mapping) and all(isinstance(each, Mapping) and each.keys() == first.keys() for each in others):
        return {key: _concatenated([each[key] for each in values], count) for key in first}
    if type(first) in (list, tuple) and all(type(each) is type(first) and len(each) == len(first) for each in others):
        return type(first)(_concatenated(each, count) for each in zip(*values, strict=True))
    if isinstance(first, Mapping | list | tuple):
        raise _NotABatchError
    shapes = {getattr(each, "shape", None) for each in values}
    shape, same = next(iter(shapes)), all(each is first for each in others)
    is_batch = len(shapes) == 1 and shape is not None and shape[:1] == (count,)
    if is_batch and not same:
        return namespace(first).concat(list(values))
    if not is_batch and (same or (shapes == {None} and all(each == first for each in others))):
        return first
    raise _NotABatchError
