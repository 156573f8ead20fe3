"""The options of sampling as controls, with the defaults of the run; their texts are parsed as the command's flags are."""

import random
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from diffkit_samplers import METHODS
from nicegui import ui

from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.class_labels import NULL
from diffkit_cli.sampling.condition_texts import is_file
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import OPTIONS, Given, choices, resolve
from diffkit_cli.sampling.parse import parse_flags
from diffkit_cli.ui.settings import Settings
from diffkit_cli.ui.sliders import NumberSlider

__all__ = ["MAX_IMAGES", "Controls"]

MAX_IMAGES, IMAGES = 16, 4
MAX_STEPS, MAX_GUIDANCE = 100, 8.0
DEFAULT, IN_TURN = "", "each in turn"


class Controls:
    """The controls of a network's options. on_change is called after each change."""

    def __init__(self, settings: Settings, on_change: Callable[[], Any]) -> None:
        self._settings, self._on_change, self._fields = settings, on_change, dict[str, Any]()
        self._column = ui.column().classes("w-full gap-2")
        self._shown: Collection[str] = ()

    def build(self, loaded: LoadedModel) -> None:
        """The controls of a network, at its own defaults."""
        config = loaded.model.config
        own = resolve(
            {"classes": ("0",)} if config.num_classes else {}, loaded.model.schedule, loaded.model.shape[1:], config.sampling
        )
        self._column.clear()
        self._fields.clear()
        with self._column:
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                self._fields["seed"] = self._number("Seed", 0, 0, OPTIONS["seed"].help)
                ui.button(icon="casino", on_click=self._new_seed).props('flat dense round aria-label="Another seed"')
            self._slider("n", "Images", IMAGES, 1, MAX_IMAGES, 1)
            names = config.data.classes[: config.num_classes or 0] or [str(i) for i in range(config.num_classes or 0)]
            if names:
                nulls = {NULL: "no class"} if NULL not in names and config.class_dropout else {}
                self._select("classes", "Class", {DEFAULT: IN_TURN, **{name: name for name in names}, **nulls}, DEFAULT)
            for name in config.conditions:
                text = NULL if config.class_dropout else ""
                field = ui.input(f"Condition {name}", value=text, on_change=self._on_change).props("dense outlined debounce=400")
                self._fields[f"condition {name}"] = field.classes("w-full")
            if config.num_classes or config.conditions:
                self._slider("guidance", "Guidance", own.guidance, 0, MAX_GUIDANCE, 0.1)
            self._slider("steps", "Steps", own.steps, 1, MAX_STEPS, 1)
            self._select("sampler", "Sampler", choices("sampler"), own.sampler, self._other_sampler)
            self._slider("eta", "Eta", own.eta, 0, 1, 0.05)
            self._select("spacing", "Spacing", list(dict.fromkeys([*choices("spacing"), own.spacing])), own.spacing)
        self.show_only(self._shown)

    def show_only(self, names: Collection[str], no_class: str = IN_TURN) -> None:
        """Hide the controls of other options; they are not given then. no_class: what it means that no class is chosen."""
        self._shown = names
        if "classes" in self._fields:
            self._fields["classes"].set_options({**self._fields["classes"].options, DEFAULT: no_class})
        for name, field in self._fields.items():
            field.set_visibility(name in names or name.startswith("condition "))

    def set_seed(self, seed: int) -> None:
        """Choose a seed."""
        self._fields["seed"].set_value(seed)

    @property
    def ready(self) -> bool:
        """Whether there is a network."""
        return bool(self._fields)

    def given(self) -> Given:
        """The options that are shown, parsed.

        Raises UsageError for a value out of its range, and for a condition in a file outside of the page's folder.
        """
        texts = {name: field.value for name, field in self._fields.items() if name in self._shown and field.value is not None}
        if "classes" in texts:
            texts["classes"] = () if texts["classes"] == DEFAULT else (texts["classes"],)
        conditions = {name.removeprefix("condition "): field.value for name, field in self._fields.items() if " " in name}
        for name, value in conditions.items():
            if is_file(value) and not self._settings.holds(Path(value)):
                raise UsageError(f"condition {name}: {value} is outside of {self._settings.folder}")
        texts["conditions"] = tuple(f"{name}={value}" for name, value in conditions.items() if value)
        for name in ("seed", "n", "steps"):
            if name in texts and texts[name] == int(texts[name]):
                texts[name] = int(texts[name])
        for name in ("eta", "guidance"):
            if name in texts:
                texts[name] = float(texts[name])
        return parse_flags(texts)

    def _number(self, label: str, value: float, low: float, hint: str) -> ui.number:
        number = ui.number(label, value=value, min=low, step=1, precision=0, on_change=self._on_change)
        with number.props("dense outlined debounce=300").classes("grow"):
            ui.tooltip(hint)
        return number

    def _slider(self, name: str, label: str, value: float, low: float, high: float, step: float) -> None:
        self._fields[name] = NumberSlider(label, value, low, high, step, self._on_change, OPTIONS[name].help)

    def _select(
        self,
        name: str,
        label: str,
        words: Collection[str] | dict[str, str],
        value: str,
        on_change: Callable[..., Any] | None = None,
    ) -> None:
        field = ui.select(
            words if isinstance(words, dict) else list(words), label=label, value=value, on_change=on_change or self._on_change
        )
        self._fields[name] = field.props("dense outlined options-dense").classes("w-full")

    def _new_seed(self) -> None:
        self.set_seed(random.randrange(10**6))  # any will do: it is shown, and makes the same images again

    def _other_sampler(self) -> Any:
        """Another sampler has its own eta."""
        eta = METHODS[self._fields["sampler"].value].eta
        if self._fields["eta"].value != eta:
            self._fields["eta"].set_value(eta)  # which calls on_change
            return None
        return self._on_change()
