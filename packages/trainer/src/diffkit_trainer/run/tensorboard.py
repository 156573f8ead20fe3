"""TensorBoard's event files, where somebody asks for them: pip install diffkit-trainer[tensorboard]."""

from pathlib import Path
from typing import Any

from torch import Tensor

__all__ = ["TensorBoardLogger"]


class TensorBoardLogger:
    """Event files in RUN/tensorboard: the numbers of the log's entries, and grids of samples.

    step: where the run goes on from; what an earlier process wrote of later steps is no longer shown.
    Raises ValueError where tensorboard is not installed.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError("tensorboard is not installed: pip install 'diffkit-trainer[tensorboard]'") from None
        self._writer: Any = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def log(self, entry: dict[str, Any]) -> None:
        """Every number of a log entry, under its name; of a list under name/0, name/1, ..."""
        for name, value in entry.items():
            for i, each in enumerate(value if isinstance(value, list) else [value]):
                if each is not None and name != "step":
                    self._writer.add_scalar(f"{name}/{i}" if isinstance(value, list) else name, each, entry["step"])

    def images(self, pixels: Tensor, step: int) -> None:
        """uint8 samples (N, 1 or 3, H, W)."""
        self._writer.add_images("samples", pixels, step)

    def close(self) -> None:
        """Everything on the disk."""
        self._writer.close()
