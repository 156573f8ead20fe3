"""diffkit steps: rows of the same noise, their captions and metadata."""

import pytest
from diffkit_trainer import read_metadata
from PIL import Image

from ..helpers import near, one_line


def test_steps_generates_a_row_for_each_number_of_steps(trained, tmp_path, diffkit):
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


def test_every_row_has_the_classes(with_classes, tmp_path, diffkit):
    figure, plain = tmp_path / "steps.png", tmp_path / "plain.png"
    options = ["-n", 2, "--class", "digit3", "--class", "5", "--guidance", 2]
    assert diffkit("steps", with_classes, "--steps", "1,3", *options, "--out", figure)[0] == 0
    assert diffkit("sample", with_classes, "--steps", 3, *options, "--out", plain)[0] == 0
    with Image.open(figure) as rows, Image.open(plain) as row:
        second = rows.crop((rows.width - row.width, rows.height - row.height, rows.width, rows.height))
        assert near([second.tobytes()], [row.tobytes()])
    assert read_metadata(figure)["classes"] == ["digit3", "5"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["steps", "run", "--steps", "1,two"], 2, "--steps must be at most 50 numbers such as 1,2,5,20, got '1,two'"),
        (["steps", "run", "--steps", "0"], 2, "--steps must be an integer from 1"),
        (["steps", "run", "--out", "folder"], 2, "--out must end in .png, got folder"),
        (["steps", "run", "--sampler", "x"], 2, "--sampler must be one of"),
    ],
)
def test_wrong_options_are_refused_in_one_line(diffkit_beside_run, arguments, code, message):
    ended, _, said = diffkit_beside_run(*arguments)
    assert message in one_line(said)
    assert ended == code
