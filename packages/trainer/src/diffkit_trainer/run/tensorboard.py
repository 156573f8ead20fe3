"""TensorBoard's event files: pip install diffkit-trainer[tensorboard]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

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
        for name, value in entry.items():
            for i, each in enumerate(value if isinstance(value, list) else [value]):
                if each is not None and name != "step":
                    self._writer.add_scalar(f"{name}/{i}" if isinstance(value, list) else name, each, entry["step"])

    def images(self, pixels: Tensor, step: int) -> None:
        """Log samples, uint8 (N, 1 or 3, H, W)."""
        self._writer.add_images("samples", pixels, step)

    def close(self) -> None:
        """Write everything to the disk."""
        self._writer.close()
