"""An update equals plain torch, is the same for every split of the batch, and changes nothing where it is not finite."""

import math

import pytest
import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import DivergedError, World, losses, save
from diffkit_trainer.training.batch import random_batch
from torch import nn


def test_training_lowers_the_loss(train_to, make_trainer):
    losses = train_to(make_trainer(lr=5e-3, batch_size=64), 150)
    assert sum(losses[-20:]) < 0.75 * sum(losses[:20])


@pytest.fixture
def make_without_norm(make_trainer, tiny_network):
    """`make_trainer` of a network without batch norm, whose statistics depend on the parts of a batch."""
    return lambda **options: make_trainer(network=lambda: tiny_network(norm=False), **options)


def weights_of(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("shape", ["constant", "cosine"])
def test_training_equals_a_plain_torch_loop(shape, clip, tiny_network, train_to, make_without_norm):
    steps, warmup, decay = 12, 4, 10
    falling = {"decay_steps": decay} if shape == "cosine" else {}
    trainer = make_without_norm(flip=False, clip_grad_norm=clip, lr_schedule=shape, warmup=warmup, ema=0.9, **falling)
    torch.manual_seed(0)
    network, average = tiny_network(norm=False), tiny_network(norm=False)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, foreach=False)
    found, norms = [], []
    for n in range(steps):
        batch = random_batch(trainer.batch_spec, n)
        x0 = trainer.normalisation.to_network(trainer.images.pixels[batch.indices])
        value = losses(network, offset_cosine(), x0, t=batch.t, eps=batch.eps).mean()
        optimizer.zero_grad()
        value.backward()
        norms.append(nn.utils.clip_grad_norm_(network.parameters(), clip or math.inf).item())
        factor = min(1, (n + 1) / warmup) * ((1 + math.cos(math.pi * min(n / decay, 1))) / 2 if shape == "cosine" else 1)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * factor
        optimizer.step()
        d = min(0.9, (1 + n) / (10 + n))
        with torch.no_grad():
            for mean, value_now in zip(average.parameters(), network.parameters(), strict=True):
                mean.mul_(d).add_(value_now, alpha=1 - d)
        found.append(value.item())
    assert train_to(trainer, steps) == pytest.approx(found, rel=1e-5)
    torch.testing.assert_close(weights_of(trainer), nn.utils.parameters_to_vector(network.parameters()), rtol=1e-4, atol=1e-6)
    for one, other in zip(trainer.ema.model.parameters(), average.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    entry = trainer.metrics()
    assert entry["gradient_norm"] == pytest.approx(sum(norms) / steps, rel=1e-4)
    assert entry["lr"] == pytest.approx(1e-3 * factor, rel=1e-5)
    assert entry["loss"] == pytest.approx(sum(found) / steps, rel=1e-5)


def test_a_step_is_yielded_after_the_updates_of_weights_and_average(make_trainer):
    trainer = make_trainer(ema=0.5)
    before = trainer.model.out.weight.clone()
    for step in trainer.run(1):
        assert step.step == trainer.step == trainer.ema.updates == 1
        assert not step.loss.requires_grad
        assert not torch.equal(trainer.model.out.weight, before)
        # the first decay of the warm-up is 1/10
        torch.testing.assert_close(trainer.ema.model.out.weight, 0.1 * before + 0.9 * trainer.model.out.weight)


def test_the_seed_determines_losses_and_state(assert_same_state, make_trainer, train_to, state_of):
    one, two, other = make_trainer(seed=1), make_trainer(seed=1), make_trainer(seed=2)
    losses = [train_to(trainer, 5) for trainer in (one, two, other)]
    assert losses[0] == losses[1] != losses[2]
    assert_same_state(state_of(one), state_of(two))


# --- parts of a batch


@pytest.mark.parametrize("parts", [2, 3, 16, 99])
def test_gradient_accumulation_gives_the_same_update(parts, train_to, make_without_norm):
    one, many = make_without_norm(), make_without_norm(accumulate=parts)
    assert train_to(many, 6) == pytest.approx(train_to(one, 6), rel=1e-5)
    torch.testing.assert_close(weights_of(many), weights_of(one), rtol=1e-4, atol=1e-6)


class Counted(nn.Module):
    """Counts the calls of a network."""

    def __init__(self, network):
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, x, level):
        self.calls += 1
        return self.network(x, level)


@pytest.mark.parametrize(
    ("batch_size", "processes", "accumulate", "parts"), [(3, 2, 2, 1), (5, 2, 2, 2), (7, 3, 4, 2), (4, 1, 9, 4)]
)
def test_every_process_makes_the_same_number_of_parts(
    batch_size, processes, accumulate, parts, make_trainer, train_to, tiny_network
):
    """Shards wait for each other at every part, although some processes have one sample more."""
    for rank in range(processes):
        trainer = make_trainer(network=lambda: Counted(tiny_network()), batch_size=batch_size, accumulate=accumulate)
        trainer.world = World(rank, processes)  # alone: it has no other process to wait for
        train_to(trainer, 1)
        assert trainer.model.calls == parts


# --- updates that are not finite


class NotFinite(nn.Module):
    """Adds `value` to the output of a network in forward pass number `at` of the training; NaN also to the input."""

    def __init__(self, network, at, value):
        super().__init__()
        self.network, self.at, self.value, self.calls = network, at, value, 0

    def forward(self, x, level):
        self.calls += self.training
        out = self.network(x * math.nan if self.calls == self.at and math.isnan(self.value) else x, level)
        return out + self.value if self.calls == self.at and self.training else out


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_update_that_is_not_finite_changes_nothing_and_ends_the_training(
    run, value, precision, config, train_to, assert_same_state, make_trainer, state_of, tiny_network
):
    trainer, finite = (
        make_trainer(network=lambda at=at: NotFinite(tiny_network(), at, value), precision=precision) for at in (3, 0)
    )
    train_to(trainer, 2)
    train_to(finite, 2)
    path = save(run, trainer, config)
    for step, _ in trainer.run(5):
        assert step in (3, 4, 5)
    for call in (trainer.check, trainer.metrics, trainer.state, lambda: save(run, trainer, config)):
        with pytest.raises(DivergedError, match="not finite at step 3: no update was made from there on") as caught:
            call()
        assert caught.value.step == 3
    trainer.optimiser.bad_step.zero_()
    one, other = state_of(trainer), state_of(finite)
    for name in ("model", "ema"):  # a counter of forward passes
        del one[1][f"{name}.network.norm.num_batches_tracked"], other[1][f"{name}.network.norm.num_batches_tracked"]
    one[0].update(step=2, skipped=0)
    assert_same_state(one, other)
    assert list((run / "checkpoints").iterdir()) == [path]


def test_an_fp16_overflow_changes_neither_average_nor_learning_rate(train_to, state_of, make_without_norm):
    trainer = make_without_norm(precision="fp16", warmup=100, ema=0.9)
    train_to(trainer, 3)
    assert trainer.metrics()["lr"] == pytest.approx(1e-3 * 3 / 100)
    before, scale = state_of(trainer), float(trainer.optimiser.scale)
    handle = trainer.model.out.weight.register_hook(lambda gradient: gradient * math.inf)
    train_to(trainer, 5)
    handle.remove()
    after = state_of(trainer)
    assert all(torch.equal(after[1][name], value) for name, value in before[1].items())
    entry = trainer.metrics()
    assert (entry["lr"], entry["skipped"], entry["loss"]) == (pytest.approx(1e-3 * 4 / 100), 2, None)
    assert (after[0]["updates"], after[0]["ema_updates"], after[0]["step"]) == (3, 3, 5)
    assert float(trainer.optimiser.scale) == scale / 4
    train_to(trainer, 6)
    assert int(trainer.optimiser.updates) == 4
    assert trainer.metrics()["lr"] == pytest.approx(1e-3 * 4 / 100), "the learning rate of update 4, after two that were skipped"
    assert not torch.equal(state_of(trainer)[1]["ema.out.weight"], before[1]["ema.out.weight"])


def test_fp16_diverges_where_every_update_overflows(train_to, make_without_norm):
    trainer = make_without_norm(precision="fp16")
    trainer.model.out.weight.register_hook(lambda gradient: gradient * math.nan)
    train_to(trainer, 20)
    with pytest.raises(DivergedError, match="not finite at step 18"):  # the first update at a scale below 1
        trainer.check()


# --- number and memory formats


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"precision": "fp16"}, {"channels_last": True}])
def test_other_precisions_and_channels_last_give_nearly_the_same_losses(options, train_to, make_without_norm):
    one, other = make_without_norm(), make_without_norm(**options)
    assert train_to(other, 8) == pytest.approx(train_to(one, 8), rel=2e-2 if "precision" in options else 1e-4)
    assert {parameter.dtype for parameter in other.model.parameters()} == {torch.float32}
