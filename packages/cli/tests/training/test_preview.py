"""Previews: which network generates them, from which noise, and that they do not change the training."""

import pytest
from diffkit_cli.sampling.loading import load_model
from diffkit_trainer import grid
from PIL import Image

from ..helpers import TINY, keys, on_a_terminal, process, size_of, what_it_is

HEAD, GAP = 28, 8


def drawn(run, raw):
    sampler = load_model(run, raw=raw, device="cpu").model
    return grid(sampler.from_noise(sampler.noise(list(range(16))), steps=20))


def test_during_its_warm_up_the_average_is_previewed_left_of_the_raw_network(trained):
    width, height = drawn(trained, False).size
    with Image.open(trained / "samples" / "00000006.png") as picture:
        assert picture.size == (2 * width + GAP, height + HEAD)
        left = picture.crop((0, HEAD, width, HEAD + height))
        right = picture.crop((width + GAP, HEAD, 2 * width + GAP, HEAD + height))
        title = picture.crop((0, 0, width, HEAD))
    assert left.tobytes() == drawn(trained, False).tobytes()
    assert right.tobytes() == drawn(trained, True).tobytes()
    assert left.tobytes() != right.tobytes()
    assert title.getextrema()[0] < 100, "something is written there"


def test_after_its_warm_up_the_average_is_previewed_alone(tmp_path):
    """The decay of 0.5 is reached at update 8."""
    run = tmp_path / "run"
    assert process("train", "--out", run, *TINY, "--ema", 0.5, "--steps", 8, *keys("sample_every=7")).returncode == 0
    width, height = drawn(run, False).size
    assert size_of(run / "samples" / "00000007.png") == (2 * width + GAP, height + HEAD)
    assert size_of(run / "samples" / "00000008.png") == (width, height)


def test_previews_do_not_change_the_training(trained, tmp_path):
    """Dropout, batch norm and the noise of the training are as without them."""
    run = tmp_path / "run"
    assert process("train", "--out", run, *TINY, *keys("sample_every=1")).returncode == 0
    assert what_it_is(run) == what_it_is(trained)
    assert len(list((run / "samples").iterdir())) == 6


@pytest.mark.parametrize("terminal", [False, True])
def test_a_preview_that_fails_does_not_lose_the_run(trained, tmp_path, terminal):
    run = tmp_path / "run"
    run.mkdir()
    (run / "samples").write_text("in the way")
    arguments = ["train", "--out", run, *TINY]
    if terminal:
        said, code = on_a_terminal(*arguments, NO_COLOR="1")
    else:
        done = process(*arguments)
        said, code = done.stderr, done.returncode
    assert code == 0, said
    assert "warning: no preview at step 6: " in said
    assert "done: 6 steps" in said
    assert what_it_is(run) == what_it_is(trained)
