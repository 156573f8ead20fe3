"""The batches whose loss shows what a network has learned: the same images, times and noise at every step of the training."""

from collections.abc import Iterator

import torch
from torch import Tensor

from diffkit_trainer.rng import generator
from diffkit_trainer.training.batch import BatchSpec, RandomBatch
from diffkit_trainer.training.timesteps import sample_times

__all__ = ["fixed_batches"]

SAMPLES = 256


def fixed_batches(spec: BatchSpec, rows: Tensor, device: torch.device | str = "cpu") -> Iterator[RandomBatch]:
    """256 samples among the images of these rows, in batches of the training's size, without flips and dropped labels.

    They depend on seed, rows and the type of device alone. Fewer images are taken several times, each with times and noise of its
    own. The times are spread evenly where the training's are uniform.
    """
    noise = generator(spec.seed, "held out", device=device)
    order = torch.randperm(len(rows), generator=generator(spec.seed, "held out order"))
    chosen = rows[order.repeat(-(-SAMPLES // len(rows)))[:SAMPLES]]
    times = "stratified" if spec.times == "uniform" else spec.times
    t = sample_times(times, (SAMPLES, *(1,) * len(spec.shape)), generator=noise)
    for start in range(0, SAMPLES, spec.batch_size):
        part = slice(start, start + spec.batch_size)
        eps = torch.randn(len(chosen[part]), *spec.shape, generator=noise, device=device)
        yield RandomBatch(chosen[part], t[part], eps, None, None)
