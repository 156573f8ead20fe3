"""diffkit interpolate: between two seeds and between two images."""

import hashlib

import pytest
import torch
from diffkit_trainer import grid, read_metadata
from PIL import Image

from ..helpers import frames, near, one_line, pixels, size_of


def test_an_animated_interpolation_goes_forth_and_back(trained, tmp_path, diffkit):
    shape = ["--rows", 2, "--columns", 4, "--steps", 2]
    code, _, _ = diffkit("interpolate", trained, *shape, "--out", tmp_path / "path", "--gif", tmp_path / "path.gif")
    assert code == 0
    shown = frames(tmp_path / "path.gif")
    assert len(shown) == 2 * 4 - 2
    assert shown[1] == shown[5]
    assert shown[2] == shown[4]
    assert size_of(tmp_path / "path.gif") == (68, 134)


@pytest.mark.parametrize("spacing", ["0.7,0.4,0", "leading"])
def test_its_ends_are_the_images_of_sample_from_any_first_time(trained, tmp_path, diffkit, spacing):
    options = ["--spacing", spacing, *(["--steps", 5] if spacing == "leading" else [])]
    assert diffkit("interpolate", trained, "--rows", 1, "--columns", 3, *options, "--out", tmp_path / "path")[0] == 0
    assert diffkit("sample", trained, "-n", 2, "--sampler", "ddim", *options, "--out", tmp_path / "ends")[0] == 0
    path, ends = pixels(tmp_path / "path"), pixels(tmp_path / "ends")
    assert near([path[0], path[2]], ends)


def test_interpolation_between_two_images_begins_and_ends_with_them(blank, tmp_path, diffkit):
    one, other = tmp_path / "two" / "one.png", tmp_path / "two" / "other.png"
    one.parent.mkdir()
    Image.linear_gradient("L").resize((8, 8)).save(one)
    Image.radial_gradient("L").resize((8, 8)).save(other)
    ends = ["--from", one, "--to", other, "--columns", 5, "--out", tmp_path / "path"]
    assert diffkit("interpolate", blank, *ends)[0] == 0
    path = pixels(tmp_path / "path")
    assert len(path) == 5
    assert near([path[0], path[4]], pixels(tmp_path / "two"))
    assert not near([path[2]], [path[0]])
    note = read_metadata(tmp_path / "path" / "00000.png")
    named = {key: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for key, path in (("from", one), ("to", other))}
    assert named.items() <= note.items()
    assert "seed" not in note, "no noise was drawn"


def test_a_row_ends_with_the_sample_of_the_seed_that_is_given(with_classes, tmp_path, diffkit):
    options = ["--steps", 2, "--class", "digit3", "--out"]
    shape = ["--rows", 2, "--columns", 2, "--seed", 4, "--to-seed", 9]
    assert diffkit("interpolate", with_classes, *shape, *options, tmp_path / "rows")[0] == 0
    ends = []
    for seed in (4, 9, 6, 11):
        assert diffkit("sample", with_classes, "-n", 1, "--seed", seed, *options, tmp_path / str(seed))[0] == 0
        ends += pixels(tmp_path / str(seed))
    assert near(pixels(tmp_path / "rows"), ends)
    assert read_metadata(tmp_path / "rows" / "00000.png")["to_seed"] == 9


def test_each_row_has_its_class(with_classes, tmp_path, diffkit):
    options = ["--steps", 3, "--guidance", 2, "--out"]
    shape = ["--rows", 2, "--columns", 3, "--class", "digit3", "--class", "5"]
    assert diffkit("interpolate", with_classes, *shape, *options, tmp_path / "rows")[0] == 0
    rows = pixels(tmp_path / "rows")
    for name, seed, ends in (("digit3", 0, rows[:3:2]), ("5", 2, rows[3::2])):
        assert diffkit("sample", with_classes, "-n", 2, "--seed", seed, "--class", name, *options, tmp_path / name)[0] == 0
        assert near(ends, pixels(tmp_path / name))
    film = ["--gif", tmp_path / "rows.gif"]
    assert diffkit("interpolate", with_classes, *shape, *film, *options, tmp_path / "rows.png")[0] == 0
    images = torch.tensor(rows, dtype=torch.uint8).view(6, 1, 8, 8)
    captions = ["digit3", "", "", "digit5", "", ""]
    assert pixels(tmp_path / "rows.png") == [list(grid(images, 3, captions=captions).tobytes())]
    assert frames(tmp_path / "rows.gif")[0] == list(grid(images[::3], 1, captions=captions[::3]).tobytes())
    note = read_metadata(tmp_path / "rows" / "00000.png")
    assert (note["classes"], note["guidance"]) == (["digit3", "5"], 2.0)


def test_images_are_inverted_by_the_network_of_their_class(with_classes, tmp_path, diffkit):
    ends = tmp_path / "ends"
    ends.mkdir()
    Image.linear_gradient("L").resize((8, 8)).save(ends / "a.png")
    Image.radial_gradient("L").resize((8, 8)).save(ends / "b.png")
    images = ["--from", ends / "a.png", "--to", ends / "b.png", "--columns", 2, "--steps", 200, "--class", "digit3"]
    assert diffkit("interpolate", with_classes, *images, "--out", tmp_path / "path")[0] == 0
    assert near(pixels(tmp_path / "path"), pixels(ends), levels=12), "noise of another class is 100 grey levels away"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["interpolate", "run", "--from", "a.png"], 2, "--from and --to are given together, got a.png only"),
        (["interpolate", "run", "--from", "a.png", "--to", "b.png"], 3, "a.png: no such file"),
        (
            ["interpolate", "run", "--from", "a.png", "--to", "b.png", "--class", "1", "--class", "2"],
            2,
            "--class: the row between two images has one class, got 1, 2",
        ),
        (["interpolate", "run", "--class", "3"], 2, "--class needs a class-conditional network"),
        (["interpolate", "run", "--webp", "a.gif"], 2, "--webp must end in .webp, got a.gif"),
        (["interpolate", "run", "--steps", "0"], 2, "--steps must be an integer from 1"),
        (["interpolate", "run", "--out", "a.jpg"], 2, "--out must end in .png, for one grid, or be a folder, got a.jpg"),
    ],
)
def test_wrong_options_are_refused_in_one_line(diffkit_beside_run, arguments, code, message):
    ended, _, said = diffkit_beside_run(*arguments)
    assert message in one_line(said)
    assert ended == code
