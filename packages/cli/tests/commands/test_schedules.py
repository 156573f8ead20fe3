"""diffkit schedules: numbers, table, plots."""

import json
import math

import pytest
from diffkit_cli.commands.schedules import NAMES
from diffkit_schedules import cosine
from diffkit_trainer import read_metadata
from PIL import Image

from ..helpers import one_line


def test_schedules_are_printed_as_json(diffkit):
    code, out, _ = diffkit("schedules", "cosine", "offset-cosine", "--points", 3, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["cosine"]["t"] == [0, 0.5, 1]
    assert found["cosine"]["alpha"][::2] == [1, 0]
    assert found["cosine"]["sigma"][1] == cosine()(0.5).sigma
    assert found["cosine"]["log_snr"][::2] == [None, None]
    assert found["offset-cosine"]["log_snr"][0] == pytest.approx(2 * math.log(0.95 / math.sqrt(1 - 0.95**2)))


def test_schedules_are_printed_as_a_table(diffkit):
    code, out, _ = diffkit("schedules", "rectified", "--points", 5)
    assert code == 0
    assert ["0.25", "0.75000", "0.25000", "2.197"] in [line.split() for line in out.splitlines()]
    code, out, _ = diffkit("schedules")
    assert code == 0
    assert all(f"\n{name}(" in f"\n{out}" for name in NAMES)
    assert "█" in out


def test_schedules_are_plotted(tmp_path, diffkit):
    assert diffkit("schedules", "karras", "rectified", "--out", tmp_path / "plot.png")[0] == 0
    assert read_metadata(tmp_path / "plot.png") == {"command": "schedules", "names": ["karras", "rectified"]}
    with Image.open(tmp_path / "plot.png") as plot:
        colours = {colour for _, colour in plot.convert("RGB").getcolors(10**6)}
        assert {(0x44, 0x77, 0xAA), (0xEE, 0x66, 0x77), (255, 255, 255)} <= colours
        # the straight line's signal rate at t = 1/2 is 1 / sqrt 2, and on this height lies its colour
        column = [plot.getpixel((44 + (420 - 16 - 44) // 2, y)) for y in range(320)]
    heights = [y for y, colour in enumerate(column) if colour[0] > 200 and colour[2] < 150]
    assert any(abs(y - (276 - (276 - 44) / math.sqrt(2))) < 3 for y in heights)


def test_the_embedding_is_plotted(tmp_path, diffkit):
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
        (["schedules", "cosin"], 2, "unknown schedule 'cosin': did you mean 'cosine'"),
        (["schedules", "--points", 1], 2, "--points must be an integer from 2"),
        (["schedules", "--out", "plot.jpg"], 2, "--out must end in .png, got plot.jpg"),
        (["schedules", "--embedding", "--out", "plot.jpg"], 2, "--out must end in .png, got plot.jpg"),
        (["schedules", "--embedding", "cosine"], 2, "--embedding plots the embedding only: leave out cosine"),
        (["schedules", "--embedding", "--json"], 2, "--embedding plots the embedding only: leave out --json"),
        (["schedules", "--embedding", "--points", 9], 2, "--embedding plots the embedding only: leave out --points"),
    ],
)
def test_wrong_options_are_refused_in_one_line(diffkit_beside_run, arguments, code, message):
    ended, _, said = diffkit_beside_run(*arguments)
    assert message in one_line(said)
    assert ended == code
