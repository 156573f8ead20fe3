"""Networks with more than plain weights: each trains, is averaged, saved and resumed bit for bit."""

import os

import pytest
import torch
from diffkit_schedules import Rates
from diffkit_trainer import EMA, DivergedError, RunError, Saver, Trainer, load, open_images, resume, save, write_config
from safetensors.torch import load_file, save_file
from tiny_trainer import CONFIG, Tiny, everything, run_to, same, trainer
from torch import nn

MASK = torch.full((3, 3), -torch.inf).triu(1)


class Masked(Tiny):
    """Adds what a causal mask leaves of a sum, and keeps the largest value it has seen."""

    def __init__(self, persistent=True):
        super().__init__()
        self.register_buffer("mask", MASK.clone(), persistent=persistent)
        self.register_buffer("largest", torch.tensor(-torch.inf), persistent=persistent)

    def forward(self, x, level):
        if self.training:
            self.largest.copy_(torch.maximum(self.largest, x.detach().max()))
        return super().forward(x, level) + self.mask.softmax(1)[1, 1] - 0.5


class Idle(Tiny):
    """Has a parameter that the loss never reaches, among others that it does."""

    def __init__(self):
        super().__init__()
        self.into.idle = nn.Parameter(torch.ones(2, 3))


class Tied(Tiny):
    """Two layers with the same weight, the same buffer in two places, and a buffer that is a part of another."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
        self.other.weight = self.one.weight
        self.one.register_buffer("seen", torch.zeros(4))
        self.other.register_buffer("seen", self.one.seen)
        self.register_buffer("part", self.one.seen[:2])

    def forward(self, x, level):
        return super().forward(self.other(self.one(x)), level)


class Mixed(Tiny):
    """Parameters of three types, one of a single number, one of none, a frozen one, and a constant that is not saved."""

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


class Replaced(Tiny):
    """Puts a new tensor in the place of its buffer with each forward pass."""

    def __init__(self):
        super().__init__()
        self.register_buffer("running", torch.zeros(1))

    def forward(self, x, level):
        if self.training:
            self.running = 0.9 * self.running + 0.1 * x.detach().mean().reshape(1)
        return super().forward(x, level) + 0 * self.running


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path, CONFIG)
    return tmp_path


UNUSUAL = [Masked, lambda: Masked(persistent=False), Idle, Tied, Mixed, Replaced]


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("network", UNUSUAL, ids=["masked", "unsaved mask", "idle", "tied", "mixed", "replaced"])
def test_it_is_saved_and_resumed_bit_for_bit(run, network, background):
    if background:
        make = lambda: trainer(network=network, clip_grad_norm=1.0, channels_last=True, batch_size=4)  # noqa: E731
    else:
        make = lambda: trainer(network=network, batch_size=4)  # noqa: E731
    straight, first, second = make(), make(), make()
    whole = run_to(straight, 5)
    begun = run_to(first, 2)
    with Saver(run) as saver:
        saver.save(first, CONFIG) if background else save(run, first, CONFIG)
    assert sorted(os.listdir(run / "checkpoints")) == ["2"], "no temporary folder"
    assert resume(run, second) == []
    if network is not UNUSUAL[1]:  # what is not saved is as it was at the start
        assert begun + run_to(second, 5) == whole
        same(everything(second), everything(straight))
    state = load(run, expect=lambda config: first.ema.model.state_dict()).weights
    assert all(torch.equal(state[name], value) for name, value in first.ema.model.state_dict().items())


def test_infinities_of_a_mask_are_in_the_average_as_they_are():
    it = trainer(network=Masked, ema=(0.9, 0.99), batch_size=4)
    run_to(it, 3)
    for average in it.ema.models:
        assert torch.equal(average.mask, MASK)
        assert average.largest.item() == it.model.largest.item() > 0
        assert all(value.isfinite().all() for name, value in average.state_dict().items() if name != "mask")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_numbers_that_become_infinite_are_still_found(run, value):
    it = trainer(network=Masked, batch_size=4)
    it.model.norm.running_var.fill_(value)
    with pytest.raises(DivergedError, match="not finite at step 0"):
        save(run, it, CONFIG)
    assert not (run / "checkpoints").exists() or os.listdir(run / "checkpoints") == []


def test_a_file_may_hold_infinities_only_where_it_says_so(tmp_path):
    from diffkit_trainer.files.tensors import infinity_metadata, read_tensors

    tensors = {"mask": MASK.clone(), "weight": torch.ones(2)}
    save_file(tensors, tmp_path / "a", infinity_metadata({"mask"}))
    assert torch.equal(read_tensors(tmp_path / "a")["mask"], MASK)
    save_file(tensors, tmp_path / "b", infinity_metadata(set()))
    with pytest.raises(RunError, match="'mask' is not finite"):
        read_tensors(tmp_path / "b")
    save_file(tensors | {"weight": torch.full((2,), torch.inf)}, tmp_path / "c", infinity_metadata({"mask"}))
    with pytest.raises(RunError, match="'weight' is not finite"):
        read_tensors(tmp_path / "c")


def test_tied_weights_are_saved_under_every_name_and_stay_tied(run):
    it = trainer(network=Tied, batch_size=4)
    run_to(it, 1)
    path = save(run, it, CONFIG)
    held = load_file(path / "model.safetensors")
    assert torch.equal(held["one.weight"], held["other.weight"])
    again = trainer(network=Tied, batch_size=4)
    resume(run, again)
    run_to(again, 2)
    for network in (again.model, again.ema.model):
        assert network.one.weight.data_ptr() == network.other.weight.data_ptr()


def test_a_parameter_without_a_gradient_stays_as_it_was(run):
    it = trainer(network=Idle, batch_size=4)
    run_to(it, 3)
    assert torch.equal(it.model.into.idle, torch.ones(2, 3))
    moments = load_file(save(run, it, CONFIG) / "optimizer.safetensors")
    idle = [name for name, _ in it.model.named_parameters()].index("into.idle")
    assert [moments[f"{idle}.{key}"].abs().sum().item() for key in ("step", "exp_avg", "exp_avg_sq")] == [0, 0, 0]
    assert moments["0.step" if idle else "1.step"].item() == 3


def test_a_checkpoint_of_step_0_is_resumed(run):
    it, again = trainer(), trainer()
    save(run, it, CONFIG)
    run_to(again, 2)
    assert resume(run, again) == []
    assert run_to(again, 3) == run_to(it, 3)
    same(everything(again), everything(it))


class Scaled(Tiny):
    """Made for eps on a variance-preserving schedule, with errors of a tenth."""

    prediction, path = "eps", "vp"

    def output_scale(self, level):
        return torch.full_like(level, 0.1)


def test_errors_are_divided_by_the_network_s_output_scale():
    plain, scaled = (trainer(network=network, loss="mse", lr=1e-12) for network in (Tiny, Scaled))
    assert run_to(scaled, 2) == pytest.approx([100 * each for each in run_to(plain, 2)], rel=1e-5)


def test_a_network_made_for_another_prediction_or_path_is_refused():
    with pytest.raises(ValueError, match=r"^prediction must be the network's own, 'eps'; got 'v'$"):
        trainer(network=Scaled, prediction="v")
    with pytest.raises(ValueError, match=r"^path must be the network's own, 'vp'; got None$"):
        Trainer(Scaled(), open_images("digits"), lambda t: Rates(1 - 0.9 * t, t), prediction="eps")


def test_complex_and_half_buffers_are_averaged():
    model = nn.Module()
    model.register_buffer("turn", torch.zeros(2, dtype=torch.complex64))
    model.register_buffer("narrow", torch.zeros(2, dtype=torch.bfloat16))
    model.other = nn.Module()
    model.other.register_buffer("narrow", model.narrow)
    ema = EMA(model, 0.75)
    model.turn.fill_(4 + 8j)
    model.narrow.fill_(4)
    ema.update(model)
    assert ema.model.turn.tolist() == [1 + 2j] * 2
    assert ema.model.narrow.tolist() == [1.0] * 2
    assert ema.model.narrow.dtype == torch.float32
    assert ema.model.other.narrow is ema.model.narrow


@pytest.mark.parametrize(("decay", "first"), [(0.999999, 1e-6), (0.9999, 1e-4), (0.999, 1e-3), (0.0, 1.0)])
def test_a_step_of_the_average_is_exact_however_small(decay, first):
    """1 - 0.999999 taken in float32 is off by 1.3%."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    late, plain = EMA(model, decay, warmup=True), EMA(model, decay)
    late.updates.fill_(10**9)
    nn.init.ones_(model.weight)
    for ema in (late, plain):
        ema.update(model)
        assert ema.model.weight.item() == pytest.approx(first, rel=1e-7)


def test_a_config_that_json_does_not_hold_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="the run's config must be plain JSON: Object of type PosixPath") as caught:
        save(tmp_path, trainer(), {"place": tmp_path})
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_save_alone_makes_a_run(tmp_path):
    it = trainer()
    run_to(it, 1)
    save(str(tmp_path / "run"), it, CONFIG)
    assert load(str(tmp_path / "run")).config == CONFIG
    assert resume(tmp_path / "run", trainer()) == []


def test_a_run_may_be_named_by_a_text(tmp_path):
    from diffkit_trainer import append_log, is_run_folder, locked, read_config, read_log, require_writable, truncate_log

    run = str(tmp_path / "run")
    write_config(run, CONFIG)
    with locked(run):
        require_writable(run)
        append_log(run, {"step": 1})
        truncate_log(run, 1)
    assert (is_run_folder(run), read_config(run), read_log(run)) == (True, CONFIG, [{"step": 1}])
