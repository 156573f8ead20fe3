"""Weights & Biases: pip install diffkit-trainer[wandb]."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from diffkit_trainer.run.loggers import scalars

__all__ = ["WandbLogger"]

PROJECT = "diffkit"


class WandbLogger:
    """A run of Weights & Biases of the name of the run's folder, with its files in RUN/wandb, see `diffkit_trainer.Logger`.

    step: where the run starts or resumes; a resumed run continues the same run there, whose id is in RUN/wandb/id. Its own
    variables set the rest: WANDB_MODE=offline needs no account and no network, `wandb sync` uploads later; WANDB_PROJECT, by
    default "diffkit", WANDB_ENTITY. Raises ValueError where wandb is not installed, or has no account.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        try:
            import wandb
        except ImportError:
            raise ValueError("wandb is not installed: pip install 'diffkit-trainer[wandb]'") from None
        self._wandb = wandb
        settings = wandb.Settings(console="off", silent=True)
        folder = run / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / "id"
        same = {"id": known.read_text("utf-8").strip(), "resume": "allow"} if step and known.is_file() else {}
        try:
            project = os.environ.get("WANDB_PROJECT", PROJECT)
            self._run = wandb.init(project=project, name=run.name, dir=str(run), settings=settings, **same)
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"wandb: {reason}: log in by `wandb login`, or set WANDB_MODE=offline") from None
        known.write_text(self._run.id, "utf-8")
        self._run.define_metric("*", step_metric="step")  # wandb's own step only grows, that of a resumed run goes back

    def log(self, entry: Mapping[str, Any]) -> None:
        """Log every number under its name, and the numbers of a list under name/0, name/1, ..."""
        self._run.log({"step": entry["step"], **scalars(entry)})

    def images(self, pixels: Tensor, step: int) -> None:
        """Log samples, uint8 (N, 1 or 3, H, W)."""
        shown = [self._wandb.Image(each.movedim(0, -1).squeeze(-1).cpu().numpy()) for each in pixels]
        self._run.log({"step": step, "samples": shown})

    def close(self) -> None:
        """Write everything to the disk, and upload it unless offline."""
        self._run.finish()
