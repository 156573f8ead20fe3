"""One update: equal to plain torch, the same however the batch is split, and nothing at all where it is not finite."""

import math

import pytest
import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import DivergedError, World, losses, resume, save, write_config
from diffkit_trainer.training.batch import BatchSpec, part_bounds, random_batch
from tiny_trainer import CONFIG, Tiny, everything, run_to, same, trainer
from torch import nn


def plain(**options):
    return trainer(network=lambda: Tiny(norm=False), **options)


def weights_of(it):
    return torch.cat([parameter.detach().flatten() for parameter in it.model.parameters()])


# --- equal to the loop that one would write by hand


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("shape", ["constant", "cosine"])
def test_training_is_the_plain_loop(shape, clip):
    steps, warmup, decay = 12, 4, 10
    falling = {"decay_steps": decay} if shape == "cosine" else {}
    it = plain(flip=False, clip_grad_norm=clip, lr_schedule=shape, warmup=warmup, ema=0.9, **falling)
    torch.manual_seed(0)
    network, average = Tiny(norm=False), Tiny(norm=False)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, foreach=False)
    found, norms = [], []
    for n in range(steps):
        drawn = random_batch(it.batch_spec, n)
        x0 = it.normalisation.to_network(it.images.pixels[drawn.indices])
        value = losses(network, offset_cosine(), x0, t=drawn.t, eps=drawn.eps).mean()
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
    assert run_to(it, steps) == pytest.approx(found, rel=1e-5)
    torch.testing.assert_close(weights_of(it), nn.utils.parameters_to_vector(network.parameters()), rtol=1e-4, atol=1e-6)
    for one, other in zip(it.ema.model.parameters(), average.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    entry = it.metrics()
    assert entry["gradient_norm"] == pytest.approx(sum(norms) / steps, rel=1e-4)
    assert entry["lr"] == pytest.approx(1e-3 * factor, rel=1e-5)
    assert entry["loss"] == pytest.approx(sum(found) / steps, rel=1e-5)


# --- the same samples however the batch is split


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("times", ["uniform", "logit_normal", "stratified"])
def test_the_parts_of_a_draw_are_the_draw(parts, times):
    whole = random_batch(BatchSpec(3, 16, 100, (1, 4, 4), times, flip=True, class_dropout=0.2), 9)
    pieces = [whole.part(*part_bounds(16, part, parts)) for part in range(parts)]
    assert max(len(piece.t) for piece in pieces) - min(len(piece.t) for piece in pieces) <= 1
    for k, values in enumerate(whole):
        assert torch.equal(torch.cat([piece[k] for piece in pieces]), values)


@pytest.mark.parametrize("parts", [2, 3, 16, 99])
def test_accumulated_is_the_same_as_at_once(parts):
    one, many = plain(), plain(accumulate=parts)
    assert run_to(many, 6) == pytest.approx(run_to(one, 6), rel=1e-5)
    torch.testing.assert_close(weights_of(many), weights_of(one), rtol=1e-4, atol=1e-6)


class Counted(Tiny):
    calls = 0

    def forward(self, x, level):
        self.calls += 1
        return super().forward(x, level)


@pytest.mark.parametrize(
    ("batch_size", "processes", "accumulate", "parts"), [(3, 2, 2, 1), (5, 2, 2, 2), (7, 3, 4, 2), (4, 1, 9, 4)]
)
def test_every_process_makes_as_many_parts(batch_size, processes, accumulate, parts):
    """Shards wait for one another at each part; some processes have a sample more."""
    for rank in range(processes):
        it = trainer(network=Counted, batch_size=batch_size, accumulate=accumulate)
        it.world = World(rank, processes)  # what it makes of its place alone: nobody is there to be met
        run_to(it, 1)
        assert it.model.calls == parts


def test_asking_for_one_random_thing_leaves_the_others_alone():
    bare = random_batch(BatchSpec(0, 8, 50, (1, 2, 2)), 3)
    more = random_batch(BatchSpec(0, 8, 50, (1, 2, 2), flip=True, class_dropout=0.5), 3)
    assert all(torch.equal(bare[k], more[k]) for k in range(3))
    assert (bare.flipped, bare.label_dropped) == (None, None)


# --- resuming with dropout, inside an accumulation, and elsewhere


def test_dropout_is_resumed_bit_for_bit_and_the_caller_s_randomness_is_left_alone(tmp_path):
    write_config(tmp_path, CONFIG)

    def make():
        return trainer(network=lambda: Tiny(dropout=0.5), accumulate=3)

    straight, first, second = make(), make(), make()
    losses_straight = run_to(straight, 9)
    begun = run_to(first, 4)
    save(tmp_path, first, CONFIG)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert resume(tmp_path, second) == []
    assert begun + run_to(second, 9) == losses_straight
    assert torch.equal(torch.get_rng_state(), before)
    same(everything(second), everything(straight))
    assert run_to(trainer(), 3) != run_to(make(), 3), "there is dropout"


def test_what_may_round_differently_is_said_in_one_line(tmp_path):
    write_config(tmp_path, CONFIG)
    it = trainer()
    run_to(it, 1)
    save(tmp_path, it, CONFIG)
    (line,) = resume(tmp_path, trainer(accumulate=2, channels_last=True))
    assert line == (
        "accumulate is 2 here and was 1, channels_last is True here and was False: "
        "the same training up to rounding, not bit for bit"
    )


# --- what is not finite


class Harmed(Tiny):
    """Answers with `harm` in its `at`-th forward pass while training."""

    def __init__(self, at=3, harm=math.nan):
        super().__init__()
        self.at, self.harm, self.calls = at, harm, 0

    def forward(self, x, level):
        self.calls += self.training
        out = super().forward(x if self.calls != self.at or not math.isnan(self.harm) else x * math.nan, level)
        return out + self.harm if self.calls == self.at and self.training else out


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("harm", [math.nan, math.inf])
def test_one_step_that_is_not_finite_changes_nothing_and_ends_it(tmp_path, harm, precision):
    write_config(tmp_path, CONFIG)
    it, sound = (trainer(network=lambda at=at: Harmed(at, harm), precision=precision) for at in (3, 0))
    run_to(it, 2)
    run_to(sound, 2)
    path = save(tmp_path, it, CONFIG)
    for step, _ in it.run(5):
        assert step in (3, 4, 5)
    for ask in (it.check, it.metrics, it.state, lambda: save(tmp_path, it, CONFIG)):
        with pytest.raises(DivergedError, match="not finite at step 3: no update was made from there on") as caught:
            ask()
        assert caught.value.step == 3
    it.optimiser.bad_step.zero_()
    one, other = everything(it), everything(sound)
    for name in ("model", "ema"):  # a counter of forward passes
        del one[1][f"{name}.norm.num_batches_tracked"], other[1][f"{name}.norm.num_batches_tracked"]
    one[0].update(step=2, skipped=0)
    same(one, other)
    assert list((tmp_path / "checkpoints").iterdir()) == [path]


def test_fp16_overflow_is_skipped_and_moves_neither_average_nor_learning_rate():
    it = plain(precision="fp16", warmup=100, ema=0.9)
    run_to(it, 3)
    assert it.metrics()["lr"] == pytest.approx(1e-3 * 3 / 100)
    before, scale = everything(it), float(it.optimiser.scale)
    handle = it.model.out.weight.register_hook(lambda gradient: gradient * math.inf)
    run_to(it, 5)
    handle.remove()
    after = everything(it)
    assert all(torch.equal(after[1][name], value) for name, value in before[1].items())
    entry = it.metrics()
    assert (entry["lr"], entry["skipped"], entry["loss"]) == (pytest.approx(1e-3 * 4 / 100), 2, None)
    assert (after[0]["updates"], after[0]["ema_updates"], after[0]["step"]) == (3, 3, 5)
    assert float(it.optimiser.scale) == scale / 4
    run_to(it, 6)
    assert int(it.optimiser.updates) == 4
    assert it.metrics()["lr"] == pytest.approx(1e-3 * 4 / 100), "the rate of the fourth update, which took three attempts"
    assert not torch.equal(everything(it)[1]["ema.out.weight"], before[1]["ema.out.weight"])


def test_fp16_that_never_recovers_has_diverged():
    it = plain(precision="fp16")
    it.model.out.weight.register_hook(lambda gradient: gradient * math.nan)
    run_to(it, 20)
    with pytest.raises(DivergedError, match="not finite at step 18"):  # the first of a scale below 1
        it.check()


def test_fp16_scale_is_resumed(tmp_path):
    write_config(tmp_path, CONFIG)
    it, again = plain(precision="fp16"), plain(precision="fp16")
    it.optimiser.scale.fill_(128.0)
    it.optimiser.streak.fill_(1998)
    run_to(it, 1)
    save(tmp_path, it, CONFIG)
    resume(tmp_path, again)
    assert run_to(it, 4) == run_to(again, 4)
    assert (float(it.optimiser.scale), float(again.optimiser.scale)) == (256.0, 256.0)
    same(everything(it), everything(again))


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"precision": "fp16"}, {"channels_last": True}])
def test_other_number_and_memory_formats_train_alike(options):
    one, other = plain(), plain(**options)
    assert run_to(other, 8) == pytest.approx(run_to(one, 8), rel=2e-2 if "precision" in options else 1e-4)
    assert {parameter.dtype for parameter in other.model.parameters()} == {torch.float32}


def test_channels_last_is_resumed_bit_for_bit(tmp_path):
    write_config(tmp_path, CONFIG)
    straight, first, second = (trainer(channels_last=True) for _ in range(3))
    run_to(straight, 5)
    run_to(first, 2)
    save(tmp_path, first, CONFIG)
    assert resume(tmp_path, second) == []
    run_to(second, 5)
    same(everything(second), everything(straight))
    assert second.model.into.weight.is_contiguous(memory_format=torch.channels_last)
    assert second.optimiser.adamw.state[second.model.into.weight]["exp_avg"].stride() == second.model.into.weight.stride()


# --- labels


class Labelled(Tiny):
    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x, level, class_labels):
        self.seen.append(class_labels)
        return super().forward(x, level)


def test_labels_are_those_of_the_images_and_some_are_dropped():
    it = trainer(network=Labelled, batch_size=500, class_dropout=0.2)
    run_to(it, 4)
    seen = torch.cat(it.model.seen)
    true = torch.cat([it.images.labels[random_batch(it.batch_spec, step).indices] for step in range(4)])
    dropped = seen == 10
    assert torch.equal(seen[~dropped], true[~dropped])
    assert dropped.float().mean().item() == pytest.approx(0.2, abs=0.03)
    never = trainer(network=Labelled, class_dropout=0.0)
    run_to(never, 1)
    assert never.model.seen[0].max() < 10
