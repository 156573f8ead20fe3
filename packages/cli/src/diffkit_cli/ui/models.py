"""The networks that the tabs of the page share: the last ones stay in memory."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

from diffkit_trainer import checkpoints

from diffkit_cli.paths import export_file
from diffkit_cli.sampling.loading import LoadedModel, load_model

__all__ = ["open_cached", "steps_of"]

MAX_MODELS = 4

_lock = Lock()


def open_cached(run: Path, step: int | None, device: str) -> LoadedModel:
    """The network of a run's checkpoint, by default the newest now, see `load_model`.

    A checkpoint that was written again is read again.
    """
    with _lock:  # two tabs of one run load it once
        return _load(run, step, device, _version(run))


def steps_of(run: Path) -> list[int]:
    """The training steps of the checkpoints of a run, the newest first; none for an export."""
    return [] if export_file(run) else [step for step, _ in checkpoints(run)]


def _version(run: Path) -> tuple[float, ...]:
    file = export_file(run)
    folders = [file] if file else [path for _, path in checkpoints(run)]
    return tuple(path.stat().st_mtime for path in folders if path.exists())


@lru_cache(maxsize=MAX_MODELS)
def _load(run: Path, step: int | None, device: str, _version: tuple[float, ...]) -> LoadedModel:
    return load_model(run, raw=False, device=device, step=step)
