"""What one step draws, number by number: a run that goes on under another version must see what it would have seen."""

import math

import pytest
import torch
from diffkit_trainer import Images
from diffkit_trainer.options import Options
from diffkit_trainer.rng import batch_indices, generator, global_randomness
from diffkit_trainer.training import batch as draws
from diffkit_trainer.training.batch import BatchSpec, part_bounds, random_batch
from diffkit_trainer.training.timesteps import sample_times
from diffkit_trainer.training.training_data import TrainingData

SPEC = BatchSpec(0, 6, 10, (1, 2, 2), "uniform", True, 0.3)


# --- numbers that stay


def test_the_order_of_a_seed_is_what_it_always_was():
    assert batch_indices(0, 0, 6, 10).tolist() == [3, 2, 6, 8, 0, 1]
    assert batch_indices(0, 1, 6, 10).tolist() == [9, 4, 5, 7, 4, 8]
    assert batch_indices(3, 2, 4, 7).tolist() == [3, 1, 2, 6]


def test_a_place_s_numbers_are_what_they_always_were():
    assert torch.randint(1000, (4,), generator=generator(0, "noise", 7)).tolist() == [74, 246, 493, 573]
    with global_randomness(0, 7, 0):
        assert torch.randint(1000, (4,)).tolist() == [219, 326, 207, 910]


def test_a_draw_is_what_it_always_was():
    drawn = random_batch(SPEC, 4)
    assert drawn.indices.tolist() == [5, 1, 6, 2, 3, 8]
    assert drawn.t.flatten().tolist() == pytest.approx([0.8763401, 0.5800858, 0.5216464, 0.9893402, 0.3200434, 0.2157787])
    assert drawn.eps[0].flatten().tolist() == pytest.approx([1.6755315, 0.6683704, -0.006006, -2.3288679], abs=1e-6)
    assert drawn.flipped.tolist() == [True, False, False, False, False, False]
    assert drawn.label_dropped.tolist() == [False, False, True, True, False, False]


def test_a_draw_is_made_by_generators_of_its_own_for_each_thing():
    drawn, noise = random_batch(SPEC, 9), generator(0, "noise", 9)
    assert torch.equal(drawn.t, torch.rand((6, 1, 1, 1), generator=noise))
    assert torch.equal(drawn.eps, torch.randn((6, 1, 2, 2), generator=noise))
    assert torch.equal(drawn.flipped, torch.rand(6, generator=generator(0, "flip", 9)) < 0.5)
    assert torch.equal(drawn.label_dropped, torch.rand(6, generator=generator(0, "label", 9)) < 0.3)
    assert torch.equal(drawn.indices, batch_indices(0, 9, 6, 10))


def test_what_is_never_asked_for_is_not_drawn():
    drawn = random_batch(SPEC._replace(flip=False, class_dropout=0.0), 0)
    assert (drawn.flipped, drawn.label_dropped) == (None, None)
    assert random_batch(SPEC._replace(class_dropout=1.0), 0).label_dropped.all()


# --- a part of the batch


@pytest.mark.parametrize("block", [1, 7, 12, 40, 2**24])
@pytest.mark.parametrize("times", ["uniform", "stratified"])
def test_the_places_of_a_process_are_those_of_the_whole_batch(monkeypatch, block, times):
    monkeypatch.setattr(draws, "BLOCK", block)
    spec = BatchSpec(3, 11, 100, (1, 2, 2), times, flip=True, class_dropout=0.2)
    whole = random_batch(spec, 5)
    assert whole.eps.shape == (11, 1, 2, 2)
    assert len(whole.eps.unique()) == 44
    for parts in (1, 2, 3, 11):
        pieces = [random_batch(spec, 5, "cpu", *part_bounds(11, part, parts)) for part in range(parts)]
        for one, *others in zip(whole, *pieces, strict=True):
            assert torch.equal(torch.cat(others), one)


def test_a_process_draws_no_more_noise_than_the_blocks_of_its_places(monkeypatch):
    """The last of eight has 128 of 1,024 samples, in blocks of 50."""
    made, randn = [], torch.randn
    monkeypatch.setattr(draws, "BLOCK", 50 * 48, raising=False)
    monkeypatch.setattr(torch, "randn", lambda shape, **options: made.append(math.prod(shape)) or randn(shape, **options))
    one = random_batch(BatchSpec(0, 1024, 5000, (3, 4, 4)), 0, "cpu", *part_bounds(1024, 7, 8))
    assert one.eps.shape == (128, 3, 4, 4)
    assert 128 * 48 <= sum(made) <= (128 + 2 * 50) * 48


def test_a_block_is_64_mb_and_a_sample_at_least():
    assert draws.BLOCK * torch.zeros(()).nbytes == 2**26
    assert random_batch(BatchSpec(0, 2, 2, (3, 2400, 2400)), 0, start=1).eps.shape == (1, 3, 2400, 2400)


@pytest.mark.parametrize(("block", "rows"), [(1, 1), (24, 1), (80, 3), (10**6, 7)])
def test_the_noise_is_drawn_a_block_at_a_time_and_is_the_same_for_any_part(block, rows, monkeypatch):
    """`rows` samples of 3 x 2 x 4 = 24 numbers fit into a block, and one at least."""
    monkeypatch.setattr("diffkit_trainer.training.batch.BLOCK", block)
    spec = BatchSpec(seed=2, batch_size=7, images=10, shape=(3, 2, 4))
    first = generator(2, "noise", 5)
    torch.rand(7, generator=first)
    blocks = [first, *(generator(2, "noise", 5, each) for each in range(1, 7))]
    sizes = [min(rows, 7 - begin) for begin in range(0, 7, rows)]
    expected = torch.cat([torch.randn((n, 3, 2, 4), generator=source) for n, source in zip(sizes, blocks, strict=False)])
    assert torch.equal(random_batch(spec, 5).eps, expected)
    for start, stop in ((0, 3), (2, 5), (3, 6), (6, 7), (0, 1)):
        part = random_batch(spec, 5, start=start, stop=stop)
        assert torch.equal(part.eps, expected[start:stop])


def test_of_the_noise_no_more_is_drawn_than_the_blocks_of_a_part(monkeypatch):
    drawn = []

    def noted(seed, name, step, *place, **device):
        drawn.append((name, *place))
        return generator(seed, name, step, *place, **device)

    monkeypatch.setattr("diffkit_trainer.training.batch.BLOCK", 2)
    monkeypatch.setattr("diffkit_trainer.training.batch.generator", noted)
    random_batch(BatchSpec(seed=2, batch_size=9, images=10, shape=(1, 1, 1)), 5, start=5, stop=7)
    assert drawn == [("noise",), ("noise", 2), ("noise", 3)]


def test_a_draw_is_the_same_under_any_default_device():
    spec = BatchSpec(seed=2, batch_size=6, images=10, shape=(1, 2, 2), flip=True, class_dropout=0.5)
    expected = random_batch(spec, 1)
    with torch.device("meta"):
        found = random_batch(spec, 1)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_the_noise_is_drawn_on_the_device_that_is_asked_for():
    with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
        random_batch(SPEC, 0, device="meta")


def test_a_label_is_kept_where_its_number_is_the_probability():
    number = torch.rand(4, generator=generator(2, "label", 5))[1].item()
    drawn = random_batch(BatchSpec(seed=2, batch_size=4, images=10, shape=(1, 1, 1), class_dropout=number), 5)
    assert not drawn.label_dropped[1]


def test_a_part_has_the_rows_from_start_to_before_stop():
    rows = torch.arange(5)
    part = draws.RandomBatch(rows, rows + 10, rows + 20, None, rows > 2).part(1, 4)
    assert [None if each is None else each.tolist() for each in part] == [
        [1, 2, 3],
        [11, 12, 13],
        [21, 22, 23],
        None,
        [False, False, True],
    ]


@pytest.mark.parametrize(("count", "parts", "sizes"), [(10, 3, [3, 3, 4]), (2, 4, [0, 1, 0, 1]), (6, 2, [3, 3]), (5, 1, [5])])
def test_shares_follow_each_other_and_leave_nothing(count, parts, sizes):
    bounds = [part_bounds(count, part, parts) for part in range(parts)]
    assert [stop - start for start, stop in bounds] == sizes
    assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]


# --- times


def numbers(seed=1):
    return torch.Generator().manual_seed(seed)


def test_uniform_times_are_uniform_numbers():
    assert torch.equal(sample_times("uniform", (5, 1), generator=numbers()), torch.rand((5, 1), generator=numbers()))


def test_logit_normal_times_are_the_sigmoid_of_normal_numbers():
    z = torch.randn((5, 1), generator=numbers(), dtype=torch.float32)
    torch.testing.assert_close(sample_times("logit_normal", (5, 1), generator=numbers()), 1 / (1 + (-z).exp()))


def test_no_time_is_1_although_the_sigmoid_of_20_rounds_to_it(monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda shape, **_: torch.full(shape, 20.0))
    assert sample_times("logit_normal", (2,), generator=numbers()).tolist() == [1 - 2**-24] * 2


def test_stratified_times_are_one_number_shifted():
    source = numbers()
    place, u = torch.randperm(4, generator=source), torch.rand((), generator=source).item()
    assert sample_times("stratified", (4, 1), generator=numbers()).flatten().tolist() == pytest.approx(
        [math.fmod((u + k) / 4, 1) for k in place.tolist()]
    )


# --- what the network sees


def test_a_mirrored_image_is_mirrored_from_left_to_right_and_no_other_way():
    pixels = torch.arange(2 * 2 * 3, dtype=torch.uint8).reshape(2, 1, 2, 3)
    images = Images(pixels, torch.tensor([1, 0]), ("a", "b"))
    samples = TrainingData.of(images, Options(normalise="range"), torch.device("cpu"))
    drawn = draws.RandomBatch(
        torch.tensor([1, 0, 1]),
        torch.zeros(3, 1, 1, 1),
        torch.zeros(3, 1, 2, 3),
        torch.tensor([False, True, True]),
        torch.tensor([True, False, False]),
    )
    x0, _, labels = samples.tensors(drawn)
    seen = samples.normalisation.to_pixels(x0).squeeze(1).tolist()
    assert seen == [[[6, 7, 8], [9, 10, 11]], [[2, 1, 0], [5, 4, 3]], [[8, 7, 6], [11, 10, 9]]]
    assert labels.tolist() == [2, 1, 0]
    plain, _, given = samples.tensors(drawn._replace(flipped=None, label_dropped=None))
    assert samples.normalisation.to_pixels(plain)[:, 0, 0].tolist() == [[6, 7, 8], [0, 1, 2], [6, 7, 8]]
    assert given.tolist() == [0, 1, 0]
