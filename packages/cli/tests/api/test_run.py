"""A run opened in Python gives the images of the command."""

import base64
import inspect
import io
import re
import shutil

import diffkit_cli
import numpy as np
import pytest
import torch
from diffkit_cli import open_run
from diffkit_trainer import RunError, grid, load, read_metadata, weights_hash
from PIL import Image

from ..helpers import process


def test_every_public_name_has_a_docstring_with_an_example(check_public_names):
    check_public_names(diffkit_cli)


def contents(path):
    return {file.name: file.read_bytes() for file in (path.iterdir() if path.is_dir() else [path])}


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("-n 3 --steps 2", {"steps": 2}),
        (
            "-n 3 --steps 3 --sampler heun --eta 0.5 --seed 7 --size 6x9 --class digit3 --class 5 --guidance 2 --batch-size 2",
            {
                **{"steps": np.int64(3), "sampler": "heun", "eta": np.float32(0.5), "seed": 7, "size": (6, 9)},
                **{"classes": ["digit3", 5], "guidance": torch.tensor(2.0), "batch_size": 3},
            },
        ),
    ],
    ids=["defaults", "all options"],
)
def test_the_files_are_those_of_the_command_byte_for_byte(with_classes, tmp_path, flags, options):
    images = open_run(with_classes).sample(3, **options)
    for out in ("grid.png", "folder"):
        done = process("sample", with_classes, *flags.split(), "--out", tmp_path / "command" / out)
        assert done.returncode == 0, done.stderr
        images.save(tmp_path / "python" / out)
        assert contents(tmp_path / "python" / out) == contents(tmp_path / "command" / out)
    assert str(images)[1:-1] == done.stderr.splitlines()[-1].rpartition(": ")[0]
    assert images.metadata.items() <= read_metadata(tmp_path / "python" / "grid.png").items()


def test_what_diffkit_did_not_make_is_replaced_with_force_only(tmp_path):
    images, photos = open_run().sample(2, steps=1), [tmp_path / "album" / "00001.png", tmp_path / "photo.png"]
    photos[0].parent.mkdir()
    for photo, out in ((photos[0], photos[0].parent), (photos[1], photos[1])):
        Image.new("L", (8, 8), 200).save(photo)
        before = photo.read_bytes()
        with pytest.raises(ValueError, match=f"{photo.name} was not made by diffkit: give another path, or force=True "):
            images.save(out)
        assert photo.read_bytes() == before
        images.save(out, force=True)
        images.save(out)
        assert read_metadata(photo)["command"] == "sample"
    with pytest.raises(ValueError, match=r"00000\.png \(and 1 more\) was made with seed 0, not 5: .* force=True"):
        open_run().sample(2, steps=1, seed=5).save(photos[0].parent)


def test_an_image_of_the_command_is_reproduced_in_python(trained, with_classes, tmp_path, diffkit):
    start, two = tmp_path / "start.png", tmp_path / "two"
    Image.linear_gradient("L").save(start)
    assert diffkit("sample", trained, "-n", 2, "--steps", 3, "--init", start, "--strength", 0.7, "--out", two)[0] == 0
    like = two / "00001.png"
    open_run(trained).sample(like=like, init=start).save(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == like.read_bytes()
    with pytest.warns(UserWarning, match=r"00001\.png was generated with other weights"):
        open_run(with_classes).sample(like=like, init=start)


def test_images_are_a_tensor_single_images_and_a_grid_in_a_notebook(with_classes, capfd):
    run = open_run(with_classes)
    steps = []
    images = run.sample(101, steps=2, classes=["digit3", "5"], on_progress=lambda done, total: steps.append((done, total)))
    assert (images.pixels.dtype, images.pixels.shape, len(images)) == (torch.uint8, (101, 1, 8, 8), 101)
    assert images[-1].tobytes() == bytes(images.pixels[-1].flatten().tolist())
    assert len(list(images)) == 101
    source, text = re.fullmatch(r'<img src="data:image/png;base64,(\S+)" [^>]*><br>(.*)', images._repr_html_()).groups()
    shown = Image.open(io.BytesIO(base64.b64decode(source)))
    assert shown.tobytes() == grid(images.pixels[:100], captions=["digit3", "digit5"] * 50).tobytes()
    assert text == f"101 images from {with_classes}@0, 2 steps of ddim, eta 0, seed 0; the first 100 are shown"
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1]
    assert capfd.readouterr() == ("", ""), "nothing is printed"


def test_a_run_tells_what_it_is(with_classes, tmp_path, monkeypatch):
    run = open_run(with_classes, device="cpu")
    assert (run.name, run.step, run.shape, run.classes[:2]) == (f"{with_classes}@0", 0, (1, 8, 8), ("digit0", "digit1"))
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    assert repr(run) == f"<{with_classes}@0: 8x8, 1 channel, 10 classes, {parameters:,} parameters, on cpu>"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a<b").symlink_to(with_classes)
    assert open_run("a<b")._repr_html_().startswith("<b>a&lt;b@0</b><table><tr><td>images</td><td>1797 of 8x8")
    assert {"n", "steps", "guidance", "classes", "init", "like"} <= set(inspect.signature(run.sample).parameters)


def test_step_and_raw_choose_the_weights(trained, tmp_path):
    for options, expected in (({"step": 4}, load(trained, step=4)), ({"raw": True}, load(trained, "model"))):
        metadata = open_run(trained, **options).sample(1, steps=1).metadata
        assert (metadata["step"], metadata["weights"]) == (expected.step, weights_hash(expected.weights))
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "6" / "ema.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="sha256 mismatch .*; using step 4"):
        assert open_run(tmp_path / "run").step == 4
    with pytest.raises(RunError, match="sha256 mismatch"):
        open_run(tmp_path / "run", step=6)
    with pytest.raises(ValueError, match="step 5: the bundled digits network has the network of step 10000 only: leave step out"):
        open_run("digits", step=5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stepz": 3}, TypeError, r"sample\(\) has no option 'stepz': did you mean steps\?"),
        ({"num_inference_steps": 3}, TypeError, r"sample\(\) has no option 'num_inference_steps': use steps"),
        ({"label": 3}, TypeError, r"sample\(\) has no option 'label': use classes"),
        ({"zzzz": 3}, TypeError, r"sample\(\) has no option 'zzzz': the options are n, seed, classes, "),
        ({"steps": 0}, ValueError, "steps must be an integer from 1 to 1000000, got 0"),
        ({"steps": 2.5}, ValueError, "steps must be an integer from 1 to 1000000, got 2.5"),
        ({"n": 10**7}, ValueError, "n must be an integer from 1 to 1000000, got 10000000"),
        ({"size": (8, 0)}, ValueError, "size must be N or HEIGHTxWIDTH, each from 1 to 4096, got '8x0'"),
        ({"sampler": "ddin"}, ValueError, "sampler must be one of .*, got 'ddin': did you mean 'ddim'"),
        ({"classes": "digit33"}, ValueError, "classes: this run has no class 'digit33': did you mean 'digit3'"),
        ({"classes": "none", "guidance": 2}, ValueError, "guidance 2 needs a class: give one by classes"),
        ({"strength": 0.5}, ValueError, "strength needs an image to start from: give one by init"),
    ],
)
def test_wrong_options_are_refused_in_one_line_that_names_the_keyword(with_classes, options, error, message):
    with pytest.raises(error, match=message) as caught:
        open_run(with_classes).sample(**options)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
