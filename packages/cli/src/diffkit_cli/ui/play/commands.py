"""The commands that make again what the page shows. Imports no library of pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from diffkit_cli.bundled import BUNDLED, DEFAULT
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import OPTIONS, SamplingOptions, flags_of, resolve
from diffkit_cli.terminal.console import command
from diffkit_cli.ui.models import steps_of

__all__ = ["command_line", "given_of_image"]


def command_line(
    name: str, loaded: LoadedModel, given: Mapping[str, Any], *words: str, out: str, defaults: Mapping[str, Any] | None = None
) -> str:
    """The command that does this with these options, without those that have the value they have by default.

    name: of the command. words: those after the run. out: the folder of the images. defaults: the options that the command has
    of its own.
    """
    chosen, own = dict(given), dict(defaults or {})
    for option in given:
        fewer = {key: value for key, value in chosen.items() if key != option}
        if option != "n" and _resolved(loaded, own | fewer) == _resolved(loaded, own | chosen):
            chosen = fewer
    names = {path: word for word, path in BUNDLED.items()}
    run = [] if loaded.run == DEFAULT and name != "inpaint" else [names.get(loaded.run, loaded.run)]
    step = {} if loaded.step in steps_of(loaded.run)[:1] or not steps_of(loaded.run) else {"step": loaded.step}
    flags = [word for option, value in (step | chosen).items() for each in _texts(value) for word in (flags_of(option)[0], each)]
    return command(name, *run, *words, *flags, "--out", out)


def given_of_image(given: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one image of several. metadata: its own, see `image_metadata`."""
    own = {"n": 1, "seed": metadata["seed"]}
    own |= {name: tuple(metadata[name]) for name in ("classes", "conditions") if metadata.get(name)}
    return {**own, **given, **own}


def _resolved(loaded: LoadedModel, given: Mapping[str, Any]) -> Any:
    """What the options mean, those of sampling and those of single commands."""
    model, others = loaded.model, [option for name, option in OPTIONS.items() if name not in SamplingOptions.__struct_fields__]
    options = resolve(given, model.schedule, model.shape[1:], model.config.sampling, model.config.tuned)
    return options, [given.get(option.name, option.default) for option in others]


def _texts(value: Any) -> Sequence[str]:
    values = value if isinstance(value, tuple) else (value,)
    return [f"{each:.12g}" if isinstance(each, float) else str(each) for each in values]
