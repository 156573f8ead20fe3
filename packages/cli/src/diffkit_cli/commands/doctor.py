"""diffkit doctor: check a folder of images before training on it."""

from typing import Annotated

import typer

from diffkit_cli.flags import Json, Text, Work
from diffkit_cli.training.parse import parse_flags

__all__ = ["doctor"]


def doctor(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder, zip or tar of images, folder of IDX files, file of arrays, or digits.")
    ],
    size: Annotated[
        Text,
        typer.Option(metavar="N or HxW", help="Size that training will resize to. Default: 64 for a folder of images."),
    ] = None,
    json: Json = False,
) -> Work:
    """Check images or other data before training on them.

    Exit code 3 if training would fail.
    """
    given = parse_flags({"size": size}).get("size")
    from diffkit_trainer import inspect_images

    from diffkit_cli.reports.dataset import as_document, print_document
    from diffkit_cli.terminal.console import answer
    from diffkit_cli.terminal.progress import counting
    from diffkit_cli.training.data import SIZE, is_image_folder
    from diffkit_cli.training.start.folder import refuse_run_as_data

    def work() -> int:
        refuse_run_as_data(data, resuming=False)
        with counting(f"reading {data}") as on_progress:
            report = inspect_images(data, on_progress=on_progress)
        width, height = (*report.images[0].size, SIZE)[:2] if report.images else (SIZE, SIZE)  # of an array all have one size
        chosen = given or (SIZE if is_image_folder(data) else (height, width))
        document = as_document(data, report, chosen)
        if json:
            answer(document)
        else:
            print_document(document, chosen)
        return 0 if document["trains"] else 3

    return work
