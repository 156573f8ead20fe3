"""The pictures of a run while it trains: the same noise each time, by the average, and by the network itself while that lags."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffkit_trainer import TensorBoardLogger, Trainer, grid, save_images, save_png, side_by_side

from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.model import Sampler
from diffkit_cli.terminal.console import warn

__all__ = ["preview"]

IMAGES, STEPS = 16, 20


def preview(run: Path, trainer: Trainer, config: RunConfig, board: TensorBoardLogger | None) -> None:
    """Draw samples/STEP.png; a picture is not worth a training: what goes wrong with it is a warning.

    The first process writes it. Of a network in shards the others must call this too, to help it draw.

    While the average's decay is warming up, see `EMA.warm_until`, the average is as old as a tenth of the training: the
    network's own images stand beside it, on the right.
    """
    step, path = trainer.step, run / "samples" / f"{trainer.step:08d}.png"
    try:
        average = _drawn(trainer.ema.model, trainer, config)
        if step < trainer.ema.warm_until:
            with _evaluating(trainer.model):
                raw = _drawn(trainer.model, trainer, config)
            titles = f"moving average, step {step}", f"network as trained, step {step}"
            if trainer.world.first:
                save_png(side_by_side([grid(average), grid(raw)], titles), path)
        elif trainer.world.first:
            save_images(average, path)
        if board:
            board.images(average, step)
    except (OSError, RuntimeError) as error:
        warn(f"no preview at step {step}: {str(error).splitlines()[0]}")


def _drawn(network: Any, trainer: Trainer, config: RunConfig) -> Any:
    sampler = Sampler(network, trainer.schedule, config)
    return sampler.from_noise(sampler.noise(list(range(trainer.seed, trainer.seed + IMAGES))), steps=STEPS)


@contextmanager
def _evaluating(network: Any) -> Iterator[None]:
    """The network as it is used, and not as it learns: nothing is dropped, and batch norm's statistics stay as they are."""
    network.eval()
    try:
        yield
    finally:
        network.train()
