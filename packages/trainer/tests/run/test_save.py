"""A resumed run equals one that never stopped, bit for bit; a checkpoint holds what was saved."""

import json
import os
from functools import partial

import pytest
import torch
from diffkit_trainer import DivergedError, RunError, Saver, checkpoints, load, resume, save
from diffkit_trainer.files.atomic import sha256
from safetensors.torch import load_file, save_file
from torch import nn


def test_a_checkpoint_has_the_saved_weights_and_config(run, make_trainer, train_to, config):
    trainer = make_trainer()
    train_to(trainer, 2)
    path = save(run, trainer, config)
    assert path == run / "checkpoints" / "2"
    assert sorted(os.listdir(path)) == [
        *("config.json", "ema.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json")
    ]
    for weights, network in (("model", trainer.model), ("ema", trainer.ema.model)):
        loaded = load(run, weights)
        assert (loaded.step, loaded.config, loaded.warnings) == (2, config, [])
        assert all(torch.equal(value, loaded.weights[name]) for name, value in network.state_dict().items())
    mask = os.umask(0)
    os.umask(mask)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o666 & ~mask}


def test_save_makes_a_run_folder(tmp_path, make_trainer, train_to, config):
    trainer = make_trainer()
    train_to(trainer, 1)
    save(str(tmp_path / "run"), trainer, config)
    assert load(str(tmp_path / "run")).config == config
    assert resume(tmp_path / "run", make_trainer()) == []


def test_save_refuses_a_config_that_is_not_plain_json(tmp_path, make_trainer):
    with pytest.raises(ValueError, match="the run's config must be plain JSON: Object of type PosixPath") as caught:
        save(tmp_path, make_trainer(), {"folder": tmp_path})
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


# --- resume


@pytest.mark.parametrize("stop", [1, 7, 12])
def test_a_resumed_run_equals_one_that_never_stopped(run, stop, make_trainer, train_to, config, assert_same_state, state_of):
    straight = make_trainer()
    straight_losses = train_to(straight, 15)
    first = make_trainer()
    losses = train_to(first, stop)
    save(run, first, config)
    torch.manual_seed(99)
    second = make_trainer(seed=0)
    train_to(second, 3)  # any other state
    assert resume(run, second) == []
    assert second.step == stop
    assert losses + train_to(second, 15) == straight_losses
    assert_same_state(state_of(second), state_of(straight))
    assert second.metrics() == straight.metrics()


def test_resume_from_step_0(run, config, train_to, assert_same_state, make_trainer, state_of):
    trainer, resumed = make_trainer(), make_trainer()
    save(run, trainer, config)
    train_to(resumed, 2)
    assert resume(run, resumed) == []
    assert train_to(resumed, 3) == train_to(trainer, 3)
    assert_same_state(state_of(resumed), state_of(trainer))


def test_resume_repeats_dropout_and_leaves_the_global_generator_alone(
    run, config, train_to, assert_same_state, make_trainer, state_of, tiny_network
):

    def make():
        return make_trainer(network=lambda: tiny_network(dropout=0.5), accumulate=3)

    straight, first, second = make(), make(), make()
    straight_losses = train_to(straight, 9)
    losses = train_to(first, 4)
    save(run, first, config)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert resume(run, second) == []
    assert losses + train_to(second, 9) == straight_losses
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_state(state_of(second), state_of(straight))
    assert train_to(make_trainer(), 3) != train_to(make(), 3), "dropout changes the losses"


@pytest.fixture
def make_without_norm(make_trainer, tiny_network):
    """`make_trainer` of a network without batch norm, whose statistics depend on the parts of a batch."""
    return lambda **options: make_trainer(network=lambda: tiny_network(norm=False), **options)


def test_resume_restores_the_fp16_scale(run, config, train_to, assert_same_state, state_of, make_without_norm):
    trainer, resumed = make_without_norm(precision="fp16"), make_without_norm(precision="fp16")
    trainer.optimiser.scale.fill_(128.0)
    trainer.optimiser.streak.fill_(1998)
    train_to(trainer, 1)
    save(run, trainer, config)
    resume(run, resumed)
    assert train_to(trainer, 4) == train_to(resumed, 4)
    assert (float(trainer.optimiser.scale), float(resumed.optimiser.scale)) == (256.0, 256.0)
    assert_same_state(state_of(trainer), state_of(resumed))


class Deep(nn.Module):
    """Two hidden convolutions of one shape, and the ends."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(i, o, 3, padding=1) for i, o in ((1, 8), (8, 8), (8, 8), (8, 1))))

    def forward(self, x, level):
        return self.layers(x)


@pytest.mark.parametrize("channels_last", [False, True])
def test_resume_with_muon_is_bit_for_bit(run, channels_last, config, train_to, assert_same_state, make_trainer, state_of):
    def make():
        options = {"clip_grad_norm": 0.5, "lr_schedule": "cosine", "decay_steps": 6, "precision": "bf16"}
        return make_trainer(network=Deep, optimiser="muon", channels_last=channels_last, **options)

    straight, first, second = make(), make(), make()
    train_to(straight, 5)
    train_to(first, 2)
    save(run, first, config)
    train_to(second, 1)  # any other state
    assert resume(run, second) == []
    train_to(second, 5)
    assert_same_state(state_of(second), state_of(straight))
    assert [name for name in state_of(second)[1] if name.endswith(".momentum")] == [
        "optimizer.2.momentum",
        "optimizer.4.momentum",
    ]


def test_resume_with_channels_last_is_bit_for_bit(run, config, train_to, assert_same_state, make_trainer, state_of):
    straight, first, second = (make_trainer(channels_last=True) for _ in range(3))
    train_to(straight, 5)
    train_to(first, 2)
    save(run, first, config)
    assert resume(run, second) == []
    train_to(second, 5)
    assert_same_state(state_of(second), state_of(straight))
    assert second.model.into.weight.is_contiguous(memory_format=torch.channels_last)
    assert second.optimiser.adamw.state[second.model.into.weight]["exp_avg"].stride() == second.model.into.weight.stride()


def test_resume_names_weights_of_another_network(run, config, make_trainer):
    save(run, make_trainer(), config)
    other = make_trainer()
    other.model.out = nn.Conv2d(8, 1, 1)
    with pytest.raises(
        RunError, match=r"out.weight: expected float32 of shape \(1, 8, 1, 1\), found float32 of shape \(1, 8, 3, 3\)"
    ):
        resume(run, other)


def write_manifest(folder):
    manifest = {path.name: sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


@pytest.mark.parametrize("fault", ["missing", "extra", "shape", "dtype"])
@pytest.mark.parametrize("file", ["model", "ema", "optimizer"])
def test_resume_names_a_tensor_that_does_not_fit(run, file, fault, make_trainer, train_to, config):
    trainer = make_trainer()
    train_to(trainer, 1)
    path = save(run, trainer, config)
    tensors = load_file(path / f"{file}.safetensors")
    name = next(key for key in sorted(tensors) if tensors[key].ndim == 4)
    if fault == "missing":
        del tensors[name]
    elif fault == "extra":
        tensors["more"] = tensors[name].clone()
    else:
        tensors[name] = tensors[name][:-1].contiguous() if fault == "shape" else tensors[name].double()
    save_file(tensors, path / f"{file}.safetensors")
    write_manifest(path)
    with pytest.raises(RunError, match=rf"{file}.safetensors: {'more' if fault == 'extra' else name}: expected .*, found "):
        resume(run, make_trainer())


# --- unusual networks


MASK = torch.full((3, 3), -torch.inf).triu(1)


class Convolution(nn.Module):
    """A convolution with batch norm, which the networks below extend."""

    def __init__(self):
        super().__init__()
        self.into = nn.Conv2d(1, 1, 3, padding=1)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x, level):
        return self.norm(self.into(x))


class Masked(Convolution):
    """A causal mask of infinities, and a buffer with the largest input so far."""

    def __init__(self, persistent=True):
        super().__init__()
        self.register_buffer("mask", MASK.clone(), persistent=persistent)
        self.register_buffer("largest", torch.tensor(-torch.inf), persistent=persistent)

    def forward(self, x, level):
        if self.training:
            self.largest.copy_(torch.maximum(self.largest, x.detach().max()))
        return super().forward(x, level) + self.mask.softmax(1)[1, 1] - 0.5


class Unused(Convolution):
    """A parameter that gets no gradient."""

    def __init__(self):
        super().__init__()
        self.into.unused = nn.Parameter(torch.ones(2, 3))


class Tied(Convolution):
    """Two layers with the same weight and the same buffer, and a buffer that is a view of another."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
        self.other.weight = self.one.weight
        self.one.register_buffer("shared", torch.zeros(4))
        self.other.register_buffer("shared", self.one.shared)
        self.register_buffer("view", self.one.shared[:2])

    def forward(self, x, level):
        return super().forward(self.other(self.one(x)), level)


class Mixed(Convolution):
    """Parameters of three types, a scalar, an empty and a frozen one; a complex buffer that is not saved, and an empty one."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
        self.none = nn.Parameter(torch.zeros(0, 3))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("turns", torch.polar(torch.ones(3), torch.arange(3.0)), persistent=False)
        self.register_buffer("empty", torch.zeros(0))

    def forward(self, x, level):
        out = super().forward(x, level) * self.scale + self.shift + self.none.sum() + self.turns.abs().mean()
        return out.to(x.dtype)


class Replaced(Convolution):
    """A buffer that each forward pass replaces by a new tensor."""

    def __init__(self):
        super().__init__()
        self.running: torch.Tensor
        self.register_buffer("running", torch.zeros(1))

    def forward(self, x, level):
        if self.training:
            self.running = self.running.lerp(x.detach().mean().reshape(1), 0.1)
        return super().forward(x, level) + 0 * self.running


UNSAVED = partial(Masked, persistent=False)
NETWORKS = {"masked": Masked, "unsaved": UNSAVED, "unused": Unused, "tied": Tied, "mixed": Mixed, "replaced": Replaced}


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_resume_of_an_unusual_network_is_bit_for_bit(
    run, network, background, train_to, assert_same_state, make_trainer, config, state_of
):
    options = {"clip_grad_norm": 1.0, "channels_last": True} if background else {}
    straight, first, second = (make_trainer(network=network, batch_size=4, **options) for _ in range(3))
    straight_losses = train_to(straight, 5)
    losses = train_to(first, 2)
    with Saver(run) as saver:
        saver.save(first, config) if background else save(run, first, config)
    assert sorted(os.listdir(run / "checkpoints")) == ["2"], "no temporary folder"
    assert resume(run, second) == []
    if network is not UNSAVED:  # a buffer that is not saved has its initial value
        assert losses + train_to(second, 5) == straight_losses
        assert_same_state(state_of(second), state_of(straight))
    weights = load(run, expected_tensors=lambda config: first.ema.model.state_dict()).weights
    assert all(torch.equal(weights[name], value) for name, value in first.ema.model.state_dict().items())


def test_infinities_of_a_mask_are_copied_to_the_average(make_trainer, train_to):
    trainer = make_trainer(network=Masked, ema=(0.9, 0.99), batch_size=4)
    train_to(trainer, 3)
    for average in trainer.ema.models:
        assert torch.equal(average.mask, MASK)
        assert average.largest.item() == trainer.model.largest.item() > 0
        assert all(value.isfinite().all() for name, value in average.state_dict().items() if name != "mask")


def test_tied_weights_are_saved_under_every_name_and_stay_tied(run, make_trainer, train_to, config):
    trainer = make_trainer(network=Tied, batch_size=4)
    train_to(trainer, 1)
    path = save(run, trainer, config)
    weights = load_file(path / "model.safetensors")
    assert torch.equal(weights["one.weight"], weights["other.weight"])
    resumed = make_trainer(network=Tied, batch_size=4)
    resume(run, resumed)
    train_to(resumed, 2)
    for network in (resumed.model, resumed.ema.model):
        assert network.one.weight.data_ptr() == network.other.weight.data_ptr()


def test_a_parameter_without_a_gradient_keeps_its_value_and_moments_of_zero(run, make_trainer, train_to, config):
    trainer = make_trainer(network=Unused, batch_size=4)
    train_to(trainer, 3)
    assert torch.equal(trainer.model.into.unused, torch.ones(2, 3))
    moments = load_file(save(run, trainer, config) / "optimizer.safetensors")
    unused = [name for name, _ in trainer.model.named_parameters()].index("into.unused")
    assert [moments[f"{unused}.{key}"].abs().sum().item() for key in ("step", "exp_avg", "exp_avg_sq")] == [0, 0, 0]
    assert moments["0.step" if unused else "1.step"].item() == 3


# --- weights that are not finite


def test_weights_that_are_not_finite_are_not_saved(run, make_trainer, config, train_to):
    trainer = make_trainer()
    save(run, trainer, config)
    train_to(trainer, 1)
    trainer.model.out.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(DivergedError, match="not finite at step 1"):
        save(run, trainer, config)
    assert [step for step, _ in checkpoints(run)] == [0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_save_refuses_buffers_that_became_infinite(run, value, make_trainer, config):
    trainer = make_trainer(network=Masked, batch_size=4)
    trainer.model.norm.running_var.fill_(value)
    with pytest.raises(DivergedError, match="not finite at step 0"):
        save(run, trainer, config)
    assert not (run / "checkpoints").exists() or os.listdir(run / "checkpoints") == []


# --- which checkpoints are kept


def test_save_keeps_the_newest_checkpoints_and_other_folders(run, make_trainer, train_to, config):
    trainer = make_trainer()
    other = run / "checkpoints" / "best"
    other.mkdir(parents=True)
    for steps in (1, 2, 3):
        train_to(trainer, steps)
        save(run, trainer, config, keep=2)
    assert [step for step, _ in checkpoints(run)] == [3, 2]
    assert sorted(os.listdir(run / "checkpoints")) == ["2", "3", "best"]


def test_save_keeps_every_nth_checkpoint(run, make_trainer, train_to, config):
    trainer = make_trainer()
    for step in range(1, 8):
        train_to(trainer, step)
        save(run, trainer, config, keep=2, keep_every=3)
    assert [step for step, _ in checkpoints(run)] == [7, 6, 3]


def test_save_leaves_files_and_folders_of_other_names_alone(run, make_trainer, train_to, config):
    folder = run / "checkpoints"
    for name in ("best", "007x", ".DS_Store", "3.tmp", "²"):
        (folder / name).mkdir(parents=True)
    (folder / "99").write_text("a file")
    trainer = make_trainer()
    train_to(trainer, 1)
    (folder / "99").unlink()
    save(run, trainer, config)
    assert load(run).step == 1
    assert sorted(os.listdir(folder)) == [".DS_Store", "007x", "1", "3.tmp", "best", "²"]


def test_save_removes_a_newer_damaged_checkpoint_and_keeps_the_new_one(run, make_trainer, train_to, config):
    """The run resumes from 2 because 4 is damaged: with keep=1 the checkpoint of step 3 is kept."""
    trainer = make_trainer()
    for step in (2, 4):
        train_to(trainer, step)
        save(run, trainer, config)
    (run / "checkpoints" / "4" / "state.json").write_text("{}")
    resumed = make_trainer()
    assert len(resume(run, resumed)) == 1
    train_to(resumed, 3)
    save(run, resumed, config, keep=1)
    assert [step for step, _ in checkpoints(run)] == [3]
    assert load(run).warnings == []


def test_save_refuses_a_step_below_a_newer_valid_checkpoint(run, train_to, config, make_trainer, assert_same_state, state_of):
    """The next resume would otherwise start from the wrong step. The newer checkpoint stays as it is."""
    trainer, other = make_trainer(), make_trainer(seed=1)
    train_to(trainer, 4)
    save(run, trainer, config)
    train_to(other, 3)
    with pytest.raises(RunError, match=rf"{run}/checkpoints/4 is newer than step 3: resume it, or save to another folder"):
        save(run, other, config, keep=1)
    resumed = make_trainer()
    assert resume(run, resumed) == []
    assert_same_state(state_of(resumed), state_of(trainer))
    assert sorted(os.listdir(run / "checkpoints")) == ["4"]


def test_save_keeps_a_newer_folder_without_a_manifest(run, make_trainer, train_to, config):
    """The folder has the name of a checkpoint, but is none."""
    (run / "checkpoints" / "2024").mkdir(parents=True)
    (run / "checkpoints" / "2024" / "photo.png").write_text("mine")
    trainer = make_trainer()
    for step in (1, 2):
        train_to(trainer, step)
        save(run, trainer, config, keep=1)
    assert sorted(os.listdir(run / "checkpoints")) == ["2", "2024"]
    assert (run / "checkpoints" / "2024" / "photo.png").read_text() == "mine"
    loaded = load(run)
    assert loaded.step == 2
    assert len(loaded.warnings) == 1
