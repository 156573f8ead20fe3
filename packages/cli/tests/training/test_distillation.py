"""Distillation on Gaussian data, whose probability flow is known, and on the digits."""

import json
import math
import re
import shutil

import pytest
import torch
from diffkit_cli.run_config import Distilled, RunConfig
from diffkit_cli.sampling.loading import load_model
from diffkit_cli.sampling.model import DiffusionModel
from diffkit_cli.time_lists import text_of
from diffkit_cli.training.step_teacher import StepTeacher
from diffkit_samplers import ddim, denoiser, grid
from diffkit_schedules import Rates, condition_value, from_config, rates_at, target, to_config
from diffkit_trainer import Images, Normalisation, Trainer
from torch import nn

from ..helpers import keys, process, what_it_is

MEAN, VARIANCE = 0.5, 0.25
PAIRS = [
    ("cosine", "v", "log_snr"),
    ("offset_cosine", "eps", "variance"),
    ("rectified", "flow", "time"),
    ("linear_betas", "x0", "index"),
]


class Exact(nn.Module):
    """The exact denoiser of N(MEAN, VARIANCE), in any prediction."""

    def __init__(self, schedule, prediction, condition):
        super().__init__()
        self.schedule, self.prediction = schedule, prediction
        times = grid(schedule, 1000)[:-1] if hasattr(schedule, "timesteps") else torch.linspace(1, 0, 2**12, dtype=torch.float64)
        self.times = torch.as_tensor(times, dtype=torch.float64)
        self.levels = condition_value(schedule, self.times, condition).double()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x, level):
        nearest = (self.levels - level.double()[:1]).abs().nan_to_num(nan=0.0).argmin()
        alpha, sigma = rates_at(self.schedule, float(self.times[nearest]))
        x0 = (alpha * VARIANCE * x + sigma**2 * MEAN) / (alpha**2 * VARIANCE + sigma**2)
        eps = (x - alpha * x0) / sigma
        return target(x0, eps, Rates(alpha, sigma), self.prediction)


def model_of(schedule, prediction, condition):
    document = {
        **{"data": {"source": "", "images": 1, "fingerprint": "", "classes": []}, "samples": {"channels": 1, "space": [4]}},
        **{"normalisation": {"mean": [0.0], "std": [1.0]}, "network": {}, "schedule": to_config(schedule)},
        **{"prediction": prediction, "condition": condition},
    }
    return DiffusionModel(Exact(schedule, prediction, condition), schedule, RunConfig.of(document))


def teacher_of(name, prediction, condition, *, steps=2, ratio=64, spacing="karras_160"):
    schedule = from_config({"name": name})
    times = text_of(grid(schedule, steps * ratio, spacing))
    how = Distilled(run="run", step=0, weights="", steps=steps, sampler="dpmpp_2m", spacing=times)
    return StepTeacher(model_of(schedule, prediction, condition), how)


def flow(schedule, x, t, s):
    """The probability flow of N(MEAN, VARIANCE) from t to s: the deviations from the mean are scaled as their distribution."""
    now, then = rates_at(schedule, t), rates_at(schedule, s)
    deviation = [math.sqrt(each.alpha**2 * VARIANCE + each.sigma**2) for each in (now, then)]
    return then.alpha * MEAN + deviation[1] / deviation[0] * (x - now.alpha * MEAN)


def noise_of(count, seed=1):
    return torch.randn(count, 1, 4, generator=torch.Generator().manual_seed(seed))


def data(count):
    return MEAN + math.sqrt(VARIANCE) * noise_of(count, seed=0)


def end_of(teacher, x, k):
    """Where the exact flow from x ends after step k of the student: in the last step its x0 at the teacher's last time."""
    schedule, times, ratio = teacher.model.schedule, teacher.distilled.times, teacher.distilled.ratio
    if k < teacher.distilled.steps - 1:
        return flow(schedule, x, times[k * ratio], times[(k + 1) * ratio])
    (alpha, sigma), near = rates_at(schedule, times[-2]), flow(schedule, x, times[k * ratio], times[-2])
    return (alpha * VARIANCE * near + sigma**2 * MEAN) / (alpha**2 * VARIANCE + sigma**2)


@pytest.mark.parametrize(("name", "prediction", "condition"), PAIRS)
def test_one_step_by_the_answer_ends_where_the_exact_flow_does_from_the_same_noisy_data(name, prediction, condition):
    teacher = teacher_of(name, prediction, condition)
    schedule, knots = teacher.model.schedule, teacher.distilled.times[:: teacher.distilled.ratio]
    x0, eps, t = data(6), noise_of(6), torch.tensor([0.1, 0.7, 0.2, 0.9, 0.3, 0.6]).reshape(-1, 1, 1)
    found, at, noise = teacher(x0, t, eps, {})
    for i, k in enumerate([0, 1, 0, 1, 0, 1]):
        now, then = (rates_at(schedule, each) for each in knots[k : k + 2])
        assert at[i].item() == pytest.approx(knots[k], abs=1e-3)
        x = now.alpha * x0[i] + now.sigma * eps[i]
        torch.testing.assert_close(now.alpha * found[i] + now.sigma * noise[i], x, rtol=1e-5, atol=1e-5)
        end = found[i] if k == 1 else then.alpha * found[i] + then.sigma * noise[i]
        torch.testing.assert_close(end, end_of(teacher, x, k), rtol=0, atol=5e-3)


class Affine(nn.Module):
    """A network that is affine in x, another one in each step: it can learn the exact flow of a Gaussian."""

    condition = "log_snr"

    def __init__(self):
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def forward(self, x, level):
        k = (level >= -6.0).long()
        return self.slope[k][:, None, None] * x + self.shift[k][:, None, None]


def test_a_student_learns_the_exact_flow_of_a_gaussian():
    teacher = teacher_of("cosine", "v", "log_snr", ratio=24)
    options = {
        "prediction": "v",
        "condition": "log_snr",
        "loss": "mse",
        "times": "stratified",
        "lr": 0.05,
        "ema": 0.9,
        "batch_size": 32,
    }
    images, same = Images(data(128)), Normalisation((0.0,), (1.0,))
    trainer = Trainer(Affine(), images, teacher.model.schedule, normalisation=same, teacher=teacher, **options)
    for step in trainer.run(100):  # noqa: B007
        pass
    assert step.loss < 1e-4
    z, times = noise_of(8), teacher.distilled.times
    denoise = denoiser(trainer.ema.model, teacher.model.schedule, "v", "log_snr")
    found = ddim(denoise, teacher.model.schedule, z, spacing=times[:: teacher.distilled.ratio])
    torch.testing.assert_close(found, end_of(teacher, flow(teacher.model.schedule, z, 1.0, times[24]), 1), rtol=0, atol=0.02)
    torch.testing.assert_close(found, MEAN + math.sqrt(VARIANCE) * z, rtol=0, atol=0.05)


QUICK = [*("--updates", 4, "--batch-size", 8), *keys("save_every=2", "log_every=1", "held_out=0")]


@pytest.fixture(scope="module")
def student(with_classes, tmp_path_factory):
    """A distillation of four updates, with guidance, to two steps; nobody changes it."""
    run = tmp_path_factory.mktemp("distilled") / "student"
    done = process("distill", with_classes, "--guidance", 2, "--out", run, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "the student learns 2 steps, each of 4 steps of dpmpp_2m, guidance 2; DDIM samples it\n" in done.stderr
    return run


def test_a_resumed_distillation_is_the_same_as_one_that_never_stopped_without_its_teacher(student, tmp_path, diffkit):
    run = tmp_path / "run"
    shutil.copytree(student, run)
    shutil.rmtree(run / "checkpoints" / "4")
    (log := run / "log.jsonl").write_text("".join(log.read_text().splitlines(keepends=True)[:2]))
    config = json.loads((run / "config.json").read_text())
    assert diffkit("train", "--resume", "--out", run)[0] == 0
    assert what_it_is(run) == what_it_is(student)
    config["distilled"]["weights"] = "0" * 16
    (run / "config.json").write_text(json.dumps(config))
    code, _, said = diffkit("train", "--resume", "--out", run, "--steps", 6, *keys("decay_steps=6"))
    assert (code, "expected 0000000000000000: not the run's teacher" in said.splitlines()[-1]) == (4, True)
    (run / "teacher.safetensors").unlink()
    code, _, said = diffkit("train", "--resume", "--out", run)
    assert (code, "is missing, and the run cannot be resumed without its teacher" in said.splitlines()[-1]) == (4, True)
    shutil.rmtree(run / "checkpoints")
    code, _, said = diffkit("train", "--resume", "--out", run)
    again = rf"start it again: diffkit distill \S+ \S+ --steps 2 --guidance 2 --out {re.escape(str(run))}$"
    assert (code, bool(re.search(again, said.splitlines()[-1]))) == (4, True), said


def test_a_student_is_sampled_in_its_steps_and_says_what_it_is(student, with_classes, tmp_path, diffkit):
    image = tmp_path / "a.png"
    code, _, said = diffkit("sample", student, "-n", 2, "--out", image)
    assert (code, f"2 images from {student}@4, 2 steps of ddim, eta 0, times 1,0.836417,0, seed 0: {image}\n") == (0, said)
    _, _, said = diffkit("sample", student, "-n", 1, "--steps", 4, "--out", tmp_path / "c.png")
    assert ", 4 steps of ddim, eta 0, distilled for 2 steps, seed 0: " in said
    _, table, _ = diffkit("info", student)
    words = " ".join(table.split())
    assert "distilled to 2 steps, each of 4 of dpmpp_2m, guidance 2" in words
    teacher = load_model(with_classes, raw=False, device="cpu").weights
    assert f"distilled from {with_classes.resolve()}, step 0, weights {teacher}" in words
    assert diffkit("export", student, "--out", tmp_path / "net.safetensors")[0] == 0
    assert "2 steps of ddim" in diffkit("sample", tmp_path / "net.safetensors", "-n", 1, "--out", tmp_path / "b.png")[2]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["distill", "run", "--steps", 3, "--out", "new"], 2, "--steps must be 1, 2 or 4, got '3'"),
        (["distill", "run", "--out", "run"], 2, "run already holds a run: resume it with --resume, or give another --out"),
        (["distill", "run", "--guidance", 2, "--out", "new"], 2, "--guidance needs a class-conditional network"),
        (
            ["distill", "student", "--out", "new"],
            2,
            "student is distilled to 2 steps already: give the run that it was",
        ),
        (["train", "digits", "--from", "student", "--out", "new"], 2, "student is distilled to 2 steps already"),
        (["tune", "student", "--steps", 20], 2, "student is distilled to 2 steps already: give the run that it was"),
        (["distill", "fashion", "--out", "new"], 2, "its images, 'fashion-mnist', are not here: give DATA, the images to distil"),
        (["distill", "nothing", "--out", "new"], 4, "nothing: no such run folder"),
        (["distill", "run", "--time", "1m", "--updates", 3, "--out", "new"], 2, "--time and --updates contradict each other"),
    ],
)
def test_wrong_options_are_refused_in_one_line(student, diffkit_beside_run, tmp_path, arguments, code, message):
    (tmp_path / "student").symlink_to(student)
    found, out, said = diffkit_beside_run(*arguments)
    assert (found, out) == (code, "")
    assert message in said.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_times_of_tune_never_replace_those_of_a_distilled_run(student, tmp_path, diffkit):
    run = tmp_path / "run"
    shutil.copytree(student, run)
    spacings = ["1,0.5,0", ",".join(str(1 - k / 20) for k in range(21))]
    entry = {"sampler": "unipc_2", "eta": 0.0, "guidance": 1.0, "step": 0, "weights": "x"}
    (run / "tuned.json").write_text(json.dumps({"tuned": [entry | {"spacing": spacing} for spacing in spacings]}))
    for options in ([], ["--steps", 2]):
        _, _, said = diffkit("sample", run, "-n", 1, *options, "--out", tmp_path / f"{len(options)}.png")
        assert "2 steps of ddim" in said
        assert "diffkit tune" not in said


def test_dry_run_says_what_is_learned_and_how_long_it_takes(diffkit_beside_run, tmp_path):
    code, out, said = diffkit_beside_run("distill", "run", "--steps", 1, "--out", "new", "--dry-run", "--batch-size", 8)
    assert (code, (tmp_path / "new").exists()) == (0, False)
    assert "the student learns 1 step, each of 8 steps of dpmpp_2m; DDIM samples it\n" in said
    assert re.search(r"^# time: .* for 2 steps at", out, re.MULTILINE), "6 updates of the run, 3/11 of them in the same time"
