"""Which names are free, and what may be replaced."""

from pathlib import Path

import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.metadata import image_metadata
from diffkit_cli.sampling.outputs import output_of, output_path, require_replaceable
from diffkit_trainer.figures.metadata import png_info
from PIL import Image


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def image(path, metadata=None):
    Path(path).parent.mkdir(exist_ok=True)
    Image.new("L", (8, 8)).save(path, pnginfo=png_info(metadata))


def test_a_default_name_is_numbered_unless_the_same_image_has_it():
    ours, theirs = {"seed": 0, "size": [8, 8]}, {"seed": 1, "size": [8, 8]}
    assert output_path(None, "a.png", ours) == Path("a.png")
    image("a.png", ours)
    assert output_path(None, "a.png", {"seed": 0, "size": (8, 8)}) == Path("a.png")
    assert output_path(None, "a.png", ours, inputs=[Path("a.png")]) == Path("a-2.png")
    assert output_path(None, "a.png", theirs) == Path("a-2.png")
    image("a-2.png")
    Path("a-3.png").symlink_to("nowhere")
    Path("a-4.png").mkdir()
    assert output_path(None, "a.png", theirs) == Path("a-5.png")
    assert output_path(None, "a.png", theirs, force=True) == Path("a.png")


def test_what_diffkit_did_not_make_and_what_is_read_is_not_replaced():
    image("ours.png", {"seed": 0})
    image("photo.png")
    image("folder/00000.png", {"seed": 1})
    for name in ("00001", "00003", "100", "00004"):
        image(f"folder/{name}.png", None)
    require_replaceable([Path("ours.png"), Path("new.gif"), Path("new"), Path("folder")])
    metadata = {"seed": 1, "classes": []}
    with pytest.raises(UsageError, match=r"^photo\.png was not made by diffkit: give another path, or --force to replace it$"):
        require_replaceable([Path("ours.png"), Path("photo.png")])
    with pytest.raises(UsageError, match=r"^folder/00001\.png was not made by diffkit, and 1 more: "):
        output_of(Path("folder"), "", metadata, 4)
    require_replaceable([Path("photo.png"), Path("folder")], force=True)
    assert output_of(Path("folder"), "", metadata, 10, force=True).kept == set()
    with pytest.raises(UsageError, match=r"^ours\.png would replace an image that this command reads"):
        require_replaceable([Path("ours.png")], inputs=[Path("folder/../ours.png")], force=True)


def test_of_a_folder_the_same_images_are_kept_and_others_are_not_replaced():
    metadata = {"names": {"run": "flowers"}, "weights": "a1", "seed": 3, "n": 9, "classes": ["cat", "dog"]}
    for i in (0, 1, 5):
        image(f"folder/{i:05d}.png", image_metadata(metadata | {"names": {"run": "renamed"}}, i))
    image("folder/000002.png")
    assert output_of(Path("folder"), "", metadata, 5).kept == {0, 1}
    assert str(output_of(Path("folder"), "", metadata, 9)) == "folder (3 of them were there)"
    assert output_of(Path("folder"), "", metadata, 9, also=[Path("a.gif")]).kept == set(), "its frames are needed"
    assert output_of(Path("folder"), "", metadata, 9, inputs=[Path("folder/00005.png")]).kept == {0, 1, 5}
    for changed, message in (
        ({"seed": 4}, r"^folder/00000\.png \(and 2 more\) was made with seed 3, not 4: give another folder, or --force to"),
        ({"weights": "b2"}, "was made with weights a1, not b2: "),
        ({"classes": ["cat"]}, r"^folder/00001\.png \(and 1 more\) was made with classes \['dog'\], not \['cat'\]: "),
        ({"strength": 0.5}, "was made with strength none, not 0.5: "),
    ):
        with pytest.raises(UsageError, match=message):
            output_of(Path("folder"), "", metadata | changed, 9)
    assert output_of(Path("folder"), "", metadata | {"classes": ["cat"]}, 9, force=True).kept == {0}
