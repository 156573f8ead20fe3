"""The held-out part of a run's data: its fraction, its loss in the log, and the warning of memorising."""

import pytest
from diffkit_cli.training.held_out import held_out_losses, with_held_out
from diffkit_cli.training.options import TrainOptions
from diffkit_schedules import offset_cosine
from diffkit_trainer import Trainer, append_log, open_images
from torch import nn

from ..helpers import TINY, keys, log_of, process, refusal


@pytest.mark.parametrize(
    ("preset", "given", "images", "fraction"),
    [
        ("images-64", {}, 999, 0.0),
        ("images-64", {}, 1_000, 0.1),
        ("medium", {}, 80_000, 0.025),
        ("images-16", {"held_out": 0.3}, 10, 0.3),
        ("tutorial", {}, 8_000, 0.0),
        ("ddpm-cifar10", {}, 50_000, 0.0),
        ("tutorial", {"held_out": 0.2}, 8_000, 0.2),
    ],
)
def test_a_tenth_of_a_thousand_images_is_held_out_unless_the_recipe_is_a_papers(preset, given, images, fraction):
    options = TrainOptions(preset=preset, **given)
    assert with_held_out(options, given, images).held_out == fraction


class Network(nn.Module):
    """A network that is not trained here."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1)

    def forward(self, x, c):
        return self.layer(x)


def test_memorising_is_warned_of_once(tmp_path, capsys):
    """The loss of held-out images is lowest at step 1, and that of the others falls after it."""
    trainer = Trainer(Network(), open_images("digits"), offset_cosine(), held_out=0.1)
    now = trainer.held_out_losses()
    for step, held_out, trained in ((1, 0.5, 2.0), (2, 0.501, 1.9)):
        losses = {"loss_held_out": held_out * now["loss_held_out"], "loss_trained": trained * now["loss_trained"]}
        append_log(tmp_path, {"step": step, **losses})
    assert held_out_losses(tmp_path, trainer) == now
    said = " ".join(capsys.readouterr().err.split())
    assert f"step 0: loss of held-out images {now['loss_held_out']:.4f}, of as many others {now['loss_trained']:.4f}" in said
    lowest = f"{0.5 * now['loss_held_out']:.4f} at step 1"
    assert f"warning: the loss of held-out images is {now['loss_held_out']:.4f} at step 0 and was {lowest}" in said
    append_log(tmp_path, {"step": 3, **now})
    held_out_losses(tmp_path, trainer)
    assert "warning" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with three checkpoints and a sixth of its data held out."""
    out = tmp_path_factory.mktemp("held") / "run"
    options = keys("held_out=0.15", "save_every=1", "sample_every=1", "log_every=2", "keep=9")
    assert process("train", "--out", out, *TINY, "--steps", 3, *options).returncode == 0
    return out


def test_a_run_logs_plots_and_shows_the_loss_of_its_held_out_part(run, diffkit):
    found = [entry for entry in log_of(run) if "loss_held_out" in entry]
    assert [entry["step"] for entry in found] == [1, 2, 3]
    assert all(entry["loss"] > 0 for entry in log_of(run)), "every entry has the loss of the training too"
    assert not any(entry.get("last") for entry in found)
    assert (run / "loss.png").stat().st_size > 1000
    last = found[-1]
    said = f"held-out images loss {last['loss_held_out']:.4f}, of as many others {last['loss_trained']:.4f}, at step 3"
    assert said in " ".join(diffkit("info", run)[1].split())


def test_evaluate_compares_with_the_held_out_part_and_over_checkpoints(run, diffkit):
    code, out, _ = diffkit("evaluate", run, "-n", 210, "--steps", 1)
    shown = " ".join(out.split())
    assert code == 0
    assert "against held-out images" in shown
    assert "trained images 210 : 210" in shown
    code, out, _ = diffkit("evaluate", run, "-n", 210, "--steps", 1, "--checkpoints")
    rows = [line.split() for line in out.splitlines()]
    scores = {row[0]: float(row[4]) for row in rows if row and row[0] in "123"}
    best = min(scores, key=scores.get)
    assert code == 0
    assert list(scores) == ["1", "2", "3"]
    assert f"the lowest KID is that of step {best}: diffkit sample {run} --step {best}" in " ".join(out.split())


@pytest.mark.parametrize(("option", "named"), [(["--step", 1], "--step"), (["--out", "x.png"], "--out")])
def test_checkpoints_are_not_scored_beside_one_checkpoint(run, option, named, diffkit):
    code, _, said = diffkit("evaluate", run, "--checkpoints", *option)
    assert (code, said.strip()) == (2, f"diffkit: --checkpoints scores every checkpoint: leave {named} out")


def test_a_fraction_out_of_range_is_refused(tmp_path):
    done = process("train", "--out", tmp_path / "run", *TINY, *keys("held_out=1.0"))
    assert refusal(done, 2).strip() == "diffkit: --set: held_out must be a number in [0, 1), got 1.0"


def test_a_fraction_that_holds_out_no_image_is_refused(tmp_path):
    done = process("train", "--out", tmp_path / "run", *TINY, *keys("held_out=0.00001"))
    found = "of 1797 images 0 are held out; give 0 or another fraction"
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"diffkit: held_out must leave images in both parts, got 1e-05: {found}"
    assert not (tmp_path / "run").exists()
