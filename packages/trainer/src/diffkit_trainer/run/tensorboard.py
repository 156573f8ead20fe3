"""TensorBoard's event files: pip install diffkit-trainer[tensorboard]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from diffkit_trainer.run.loggers import scalars

__all__ = ["TensorBoardLogger"]


class TensorBoardLogger:
    """Event files in RUN/tensorboard, see `diffkit_trainer.Logger`.

    step: where the run starts or resumes; TensorBoard hides the earlier entries of later steps.
    Raises ValueError where tensorboard is not installed.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError("tensorboard is not installed: pip install 'diffkit-trainer[tensorboard]'") from None
        self._writer: Any = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def log(self, entry: Mapping[str, Any]) -> None:
        """Log every number under its name, and the numbers of a list under name/0, name/1, ..."""
        for name, value in scalars(entry).items():
            self._writer.add_scalar(name, value, entry["step"])

    def images(self, pixels: Tensor, step: int) -> None:
        """Log samples, uint8 (N, 1 or 3, H, W)."""
        self._writer.add_images("samples", pixels, step)

    def close(self) -> None:
        """Write everything to the disk."""
        self._writer.close()
