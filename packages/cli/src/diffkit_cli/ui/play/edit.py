"""An image of one's own: noised and denoised, encoded and decoded, or inpainted."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nicegui import events, ui

from diffkit_cli.sampling.generate import states_of
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.metadata import image_metadata
from diffkit_cli.sampling.options import OPTIONS, Given
from diffkit_cli.sampling.plan import make_plan
from diffkit_cli.ui.computation import Computation
from diffkit_cli.ui.pictures import png_file
from diffkit_cli.ui.play.edits import Edit, inpainted, inverted, varied
from diffkit_cli.ui.play.gallery import Gallery
from diffkit_cli.ui.play.mask import MaskEditor
from diffkit_cli.ui.sliders import NumberSlider

__all__ = ["EditPanel"]

MASK, MAX_BYTES = "mask.png", 64 * 2**20
VARY, INVERT, INPAINT = "Noise and denoise", "Encode and decode", "Inpaint"
COMMON = ("seed", "classes", "guidance", "steps")


class EditPanel:
    """An image and what is done with it; without an upload it is a sample of the run."""

    def __init__(self, changed: Callable[[], Any]) -> None:
        self._computation, self._changed = Computation(), changed
        self._folder = TemporaryDirectory()
        ui.context.client.on_delete(self._folder.cleanup)
        self._image: Path | None = None
        self._opened: Path | None = None
        with ui.row().classes("w-full items-center gap-4"):
            self._upload = ui.upload(auto_upload=True, max_file_size=MAX_BYTES, on_upload=self._received).classes("upload")
            pick = f"() => getElement({self._upload.id}).$refs.qRef.pickFiles()"  # in the browser: it asks for a click there
            button = ui.button("Open an image", icon="upload").props("outline dense no-caps").classes("px-3")
            button.on("click", js_handler=pick)
            ui.button("A sample of the run", on_click=self._forget).props("flat dense no-caps")
        self._mode = ui.toggle([VARY, INVERT, INPAINT], value=VARY, on_change=changed).props("dense no-caps unelevated")
        self._strength = NumberSlider("t", OPTIONS["strength"].default, 0.05, 1, 0.05, changed, OPTIONS["strength"].help)
        with ui.column().classes("w-full gap-2") as self._masking:
            self._mask = MaskEditor(changed)
            with ui.row().classes("w-full items-center gap-4"):
                self._rounds = NumberSlider("Rounds", OPTIONS["rounds"].default, 1, 20, 1, changed, OPTIONS["rounds"].help)
            ui.button("Save the mask", icon="download", on_click=self._save_mask).props("flat dense no-caps")
        self._status = ui.label().classes("muted").props("role=status")
        self._gallery = Gallery()

    no_class = "no class"

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the mode takes."""
        return COMMON + {VARY: ("n", "spacing", "sampler", "eta"), INVERT: ("spacing",), INPAINT: ("n",)}[self._mode.value]

    async def refresh(self, loaded: LoadedModel, given: Given) -> None:
        """Do it with the image again. Raises what reading and sampling raise."""
        self._strength.set_visibility(self._mode.value == VARY)
        self._masking.set_visibility(self._mode.value == INPAINT)
        self._status.set_text("")
        if "classes" not in given:  # the null class: there is nothing to guide by
            given.pop("guidance", None)
        shown = list[tuple[Edit, Sequence[Any]]]()

        def show(item: Path | tuple[Edit, Sequence[Any]]) -> None:
            if isinstance(item, Path):
                self._mask.open(item)
                return
            shown[:], (edit, values) = [item], item
            self._gallery.begin(edit.captions)
            self._gallery.show(values)
            self._status.set_text(edit.status(values))

        if await self._computation.run(lambda: self._work(loaded, given), show):
            edit, values = shown[0]
            self._gallery.finish(edit.finished(values))

    def stop(self) -> None:
        """End what is being computed."""
        self._computation.stop()

    def _edit(self, loaded: LoadedModel, given: Given, image: Path) -> Edit:
        if self._mode.value == VARY:
            return varied(loaded, given, image, float(self._strength.value or 0))
        if self._mode.value == INVERT:
            return inverted(loaded, given, image)
        mask = self._path(MASK)
        self._mask.write(mask)
        return inpainted(loaded, given, image, mask, int(self._rounds.value or 1))

    def _work(self, loaded: LoadedModel, given: Given) -> Iterator[Path | tuple[Edit, Sequence[Any]]]:
        """The image, where it is another one now; then what is done with it, after each step."""
        image = self._image or self._sample(loaded)
        if image != self._opened:
            yield image
            self._opened = image
        edit = self._edit(loaded, given, image)
        for values in edit.frames():
            yield edit, values

    def _sample(self, loaded: LoadedModel) -> Path:
        """A sample of the run, where no image was given."""
        image = self._path(f"sample-{loaded.weights}.png")
        if not image.exists():
            plan = make_plan(loaded, {"n": 1})
            for state in states_of(plan, range(1)):  # noqa: B007
                pass
            image.write_bytes(png_file(plan.model.values(state.x0)[0], image_metadata(plan.metadata("sample"), 0)))
        return image

    async def _received(self, event: events.UploadEventArguments) -> None:
        name = Path(event.file.name).name
        path = self._path(name if name not in ("", "..", MASK) else "image.png")
        await event.file.save(path)
        self._upload.reset()
        self._image, self._opened = path, None
        await self._changed()

    async def _forget(self) -> None:
        self._image = None
        await self._changed()

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _save_mask(self) -> None:
        mask = self._path(MASK)
        self._mask.write(mask)
        ui.download.content(mask.read_bytes(), MASK, "image/png")
