"""tuned.json of a run folder: what `diffkit tune` found, one entry for each number of steps."""

from pathlib import Path

from diffkit_trainer import RunError
from diffkit_trainer.files import as_type, read_document, write_document
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from diffkit_cli.run_config import RunConfig, TunedSampler

__all__ = ["TUNED_FILE", "add_tuned", "with_tuned"]

TUNED_FILE = "tuned.json"


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    tuned: list[TunedSampler]


def with_tuned(config: RunConfig, run: Path) -> RunConfig:
    """The config with what was tuned in the run's folder; an exported file has that in its config.

    Raises RunError, which names the file and the field, for a file that is none of `diffkit tune`.
    """
    path = run / TUNED_FILE
    if not path.is_file():
        return config
    return replace(config, tuned=as_type(read_document(path), _Document, path).tuned)


def add_tuned(config: RunConfig, run: Path, found: TunedSampler) -> None:
    """Write an entry into the run's folder, in place of that of as many steps. config: of `with_tuned`. Raises RunError."""
    entries = sorted([each for each in config.tuned if each.steps != found.steps] + [found], key=lambda each: each.steps)
    try:
        write_document(run / TUNED_FILE, {"tuned": to_builtins(entries)})
    except OSError as error:
        raise RunError(f"{run / TUNED_FILE}: cannot be written ({error.strerror})") from None
