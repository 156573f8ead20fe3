"""The tutorial's figures: the same noise at several step counts, paths between noises, the schedules, the embedding."""

import hashlib
import json
import math

import pytest
from diffkit_cli.commands.schedules import NAMES
from diffkit_schedules import cosine
from diffkit_trainer import read_metadata
from PIL import Image

from ..helpers import frames, near, one_line, pixels, size_of


def test_steps_draws_a_row_for_each_number_of_steps(trained, tmp_path, diffkit):
    figure, plain = tmp_path / "steps.png", tmp_path / "plain.png"
    code, _, said = diffkit("steps", trained, "--steps", "1,3", "-n", 2, "--seed", 5, "--out", figure)
    assert code == 0
    assert "1 step: " in said
    assert "3 steps: " in said
    assert diffkit("sample", trained, "-n", 2, "--steps", 3, "--seed", 5, "--out", plain)[0] == 0
    with Image.open(figure) as drawn, Image.open(plain) as row:
        labels = drawn.width - row.width
        assert drawn.height == 2 * row.height - 2
        second = drawn.crop((labels, row.height - 2, drawn.width, drawn.height))
        assert near([second.tobytes()], [row.tobytes()])
        margin = drawn.crop((0, 0, labels, drawn.height))
        assert min(margin.tobytes()) < 50, "something is written beside the rows"
    assert read_metadata(figure)["counts"] == [1, 3]


def test_interpolation_goes_there_and_back_on_film(trained, tmp_path, diffkit):
    shape = ["--rows", 2, "--columns", 4, "--steps", 2]
    code, _, _ = diffkit("interpolate", trained, *shape, "--out", tmp_path / "path", "--gif", tmp_path / "path.gif")
    assert code == 0
    shown = frames(tmp_path / "path.gif")
    assert len(shown) == 2 * 4 - 2
    assert shown[1] == shown[5]
    assert shown[2] == shown[4]
    assert size_of(tmp_path / "path.gif") == (68, 134)


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


def test_schedules_as_numbers(diffkit):
    code, out, _ = diffkit("schedules", "cosine", "offset-cosine", "--points", 3, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["cosine"]["t"] == [0, 0.5, 1]
    assert found["cosine"]["alpha"][::2] == [1, 0]
    assert found["cosine"]["sigma"][1] == cosine()(0.5).sigma
    assert found["cosine"]["log_snr"][::2] == [None, None]
    assert found["offset-cosine"]["log_snr"][0] == pytest.approx(2 * math.log(0.95 / math.sqrt(1 - 0.95**2)))


def test_schedules_as_a_table(diffkit):
    code, out, _ = diffkit("schedules", "rectified", "--points", 5)
    assert code == 0
    assert ["0.25", "0.75000", "0.25000", "2.197"] in [line.split() for line in out.splitlines()]
    code, out, _ = diffkit("schedules")
    assert code == 0
    assert all(f"\n{name}(" in f"\n{out}" for name in NAMES)
    assert "█" in out


def test_schedules_as_a_plot(tmp_path, diffkit):
    assert diffkit("schedules", "karras", "rectified", "--out", tmp_path / "plot.png")[0] == 0
    with Image.open(tmp_path / "plot.png") as plot:
        colours = {colour for _, colour in plot.convert("RGB").getcolors(10**6)}
        assert {(0x44, 0x77, 0xAA), (0xEE, 0x66, 0x77), (255, 255, 255)} <= colours
        # the straight line's signal rate at t = 1/2 is 1 / sqrt 2, and on this height lies its colour
        column = [plot.getpixel((44 + (420 - 16 - 44) // 2, y)) for y in range(320)]
    heights = [y for y, colour in enumerate(column) if colour[0] > 200 and colour[2] < 150]
    assert any(abs(y - (276 - (276 - 44) / math.sqrt(2))) < 3 for y in heights)


def test_the_embedding_as_a_picture(tmp_path, diffkit):
    assert diffkit("schedules", "--embedding", "--out", tmp_path / "embedding.png")[0] == 0
    with Image.open(tmp_path / "embedding.png") as picture:
        left, row = picture.width - 600, 14
        quarter, half = picture.getpixel((left + 150, row // 2)), picture.getpixel((left + 300, row // 2))
        assert quarter == (255, 0, 0), "sin(2 pi / 4) = 1"
        assert min(half) > 250, "sin(pi) = 0"
        assert picture.getpixel((left + 300, 16 * row + row // 2)) == (0, 0, 255), "cos(pi) = -1"
        assert min(picture.getpixel((left + 300, 15 * row + row // 2))) > 200, "waves finer than a pixel turn white"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["steps", "run", "--steps", "1,two"], 2, "--steps must be at most 50 numbers such as 1,2,5,20, got '1,two'"),
        (["steps", "run", "--steps", "0"], 2, "--steps must be a whole number from 1"),
        (["steps", "run", "--out", "folder"], 2, "--out must end in .png, got folder"),
        (["steps", "run", "--sampler", "x"], 2, "--sampler must be one of"),
        (["interpolate", "run", "--from", "a.png"], 2, "--from and --to are given together, got a.png only"),
        (["interpolate", "run", "--from", "a.png", "--to", "b.png"], 3, "a.png: no such file"),
        (["interpolate", "run", "--webp", "a.gif"], 2, "--webp must end in .webp, got a.gif"),
        (["interpolate", "run", "--steps", "0"], 2, "--steps must be a whole number from 1"),
        (["interpolate", "run", "--out", "a.jpg"], 2, "--out must end in .png, for one grid, or be a folder, got a.jpg"),
        (["schedules", "cosin"], 2, "unknown schedule 'cosin': did you mean 'cosine'"),
        (["schedules", "--points", 1], 2, "--points must be a whole number from 2"),
        (["schedules", "--out", "plot.jpg"], 2, "--out must end in .png, got plot.jpg"),
        (["schedules", "--embedding", "--out", "plot.jpg"], 2, "--out must end in .png, got plot.jpg"),
        (["schedules", "--embedding", "cosine"], 2, "--embedding plots the embedding only: leave out cosine"),
        (["schedules", "--embedding", "--json"], 2, "--embedding plots the embedding only: leave out --json"),
        (["schedules", "--embedding", "--points", 9], 2, "--embedding plots the embedding only: leave out --points"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(trained, tmp_path, monkeypatch, diffkit, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(trained)
    ended, _, said = diffkit(*arguments)
    assert message in one_line(said)
    assert ended == code
