"""What `diffkit ui` was given."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["Settings"]


class Settings(NamedTuple):
    """folder: a run, or a folder with runs below it. data: of the nearest training images, None for that of the run's config."""

    folder: Path
    device: str = "auto"
    data: str | None = None

    def holds(self, path: Path) -> bool:
        """Whether a path is in the folder, all links resolved: nothing else is read."""
        root = self.folder.resolve()
        return path.resolve().is_relative_to(root if root.is_dir() else root.parent)
