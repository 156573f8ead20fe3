"""The random choices of a batch, number by number: a newer version must resume a run with the same numbers."""

import math

import pytest
import torch
from diffkit_trainer import Images
from diffkit_trainer.options import Options
from diffkit_trainer.rng import batch_indices, generator
from diffkit_trainer.training import batch as batch_module
from diffkit_trainer.training.batch import BLOCK, BatchSpec, RandomBatch, block_rows, part_bounds, random_batch

SPEC = BatchSpec(0, 6, 10, (1, 2, 2), "uniform", True, 0.3)


def test_a_specification_has_the_options_and_the_images():
    options = Options(seed=3, batch_size=7, times="stratified", flip=True, class_dropout=0.25)
    images = Images(torch.zeros(5, 3, 2, 4, dtype=torch.uint8))
    assert BatchSpec.of(options, images) == BatchSpec(3, 7, 5, (3, 2, 4), "stratified", True, 0.25)


def test_a_batch_has_the_same_numbers_in_every_version():
    batch = random_batch(SPEC, 4)
    assert batch.indices.tolist() == [5, 1, 6, 2, 3, 8]
    assert batch.t.flatten().tolist() == pytest.approx([0.8763401, 0.5800858, 0.5216464, 0.9893402, 0.3200434, 0.2157787])
    assert batch.eps[0].flatten().tolist() == pytest.approx([1.6755315, 0.6683704, -0.006006, -2.3288679], abs=1e-6)
    assert batch.flipped.tolist() == [True, False, False, False, False, False]
    assert batch.dropped.tolist() == [False, False, True, True, False, False]


def test_times_flips_labels_and_order_have_separate_generators():
    batch, noise = random_batch(SPEC, 9), generator(0, "noise", 9)
    assert torch.equal(batch.t, torch.rand((6, 1, 1, 1), generator=noise))
    assert torch.equal(batch.eps, torch.randn((6, 1, 2, 2), generator=noise))
    assert torch.equal(batch.flipped, torch.rand(6, generator=generator(0, "flip", 9)) < 0.5)
    assert torch.equal(batch.dropped, torch.rand(6, generator=generator(0, "label", 9)) < 0.3)
    assert torch.equal(batch.indices, batch_indices(0, 9, 6, 10))


def test_without_flip_and_dropout_there_are_no_such_choices():
    batch = random_batch(SPEC._replace(flip=False, class_dropout=0.0), 0)
    assert (batch.flipped, batch.dropped) == (None, None)
    assert random_batch(SPEC._replace(class_dropout=1.0), 0).dropped.all()


def test_flip_and_class_dropout_leave_times_noise_and_order_unchanged():
    bare = random_batch(BatchSpec(0, 8, 50, (1, 2, 2)), 3)
    more = random_batch(BatchSpec(0, 8, 50, (1, 2, 2), flip=True, class_dropout=0.5), 3)
    assert all(torch.equal(bare[k], more[k]) for k in range(3))
    assert (bare.flipped, bare.dropped) == (None, None)


def test_a_label_is_kept_where_its_random_number_equals_the_probability():
    number = torch.rand(4, generator=generator(2, "label", 5))[1].item()
    batch = random_batch(BatchSpec(seed=2, batch_size=4, images=10, shape=(1, 1, 1), class_dropout=number), 5)
    assert not batch.dropped[1]


def test_a_batch_is_the_same_under_any_default_device():
    spec = BatchSpec(seed=2, batch_size=6, images=10, shape=(1, 2, 2), flip=True, class_dropout=0.5)
    expected = random_batch(spec, 1)
    with torch.device("meta"):
        found = random_batch(spec, 1)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_noise_is_generated_on_the_given_device():
    with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
        random_batch(SPEC, 0, device="meta")


# --- a part of the batch


def test_a_part_has_the_samples_from_start_to_stop():
    rows = torch.arange(5)
    part = RandomBatch(rows, rows + 10, rows + 20, None, rows > 2).part(1, 4)
    assert [None if each is None else each.tolist() for each in part] == [
        [1, 2, 3],
        [11, 12, 13],
        [21, 22, 23],
        None,
        [False, False, True],
    ]


@pytest.mark.parametrize(("count", "parts", "sizes"), [(10, 3, [3, 3, 4]), (2, 4, [0, 1, 0, 1]), (6, 2, [3, 3]), (5, 1, [5])])
def test_parts_cover_the_batch_without_overlap(count, parts, sizes):
    bounds = [part_bounds(count, part, parts) for part in range(parts)]
    assert [stop - start for start, stop in bounds] == sizes
    assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("times", ["uniform", "logit_normal", "stratified"])
def test_the_parts_of_a_batch_together_are_the_batch(parts, times):
    batch = random_batch(BatchSpec(3, 16, 100, (1, 4, 4), times, flip=True, class_dropout=0.2), 9)
    pieces = [batch.part(*part_bounds(16, part, parts)) for part in range(parts)]
    assert max(len(piece.t) for piece in pieces) - min(len(piece.t) for piece in pieces) <= 1
    for k, values in enumerate(batch):
        assert torch.equal(torch.cat([piece[k] for piece in pieces]), values)


@pytest.mark.parametrize("block", [1, 7, 12, 40, 2**24])
@pytest.mark.parametrize("times", ["uniform", "stratified"])
def test_the_batches_of_all_processes_together_are_the_global_batch(monkeypatch, block, times):
    monkeypatch.setattr("diffkit_trainer.training.batch.BLOCK", block)
    spec = BatchSpec(3, 11, 100, (1, 2, 2), times, flip=True, class_dropout=0.2)
    batch = random_batch(spec, 5)
    assert batch.eps.shape == (11, 1, 2, 2)
    assert len(batch.eps.unique()) == 44
    for parts in (1, 2, 3, 11):
        pieces = [random_batch(spec, 5, "cpu", *part_bounds(11, part, parts)) for part in range(parts)]
        for one, *others in zip(batch, *pieces, strict=True):
            assert torch.equal(torch.cat(others), one)


def test_a_process_generates_only_the_noise_blocks_of_its_samples(monkeypatch):
    """The last of eight has 128 of 1,024 samples, in blocks of 50."""
    made, randn = [], torch.randn
    monkeypatch.setattr("diffkit_trainer.training.batch.BLOCK", 50 * 48)
    monkeypatch.setattr(torch, "randn", lambda shape, **options: made.append(math.prod(shape)) or randn(shape, **options))
    one = random_batch(BatchSpec(0, 1024, 5000, (3, 4, 4)), 0, "cpu", *part_bounds(1024, 7, 8))
    assert one.eps.shape == (128, 3, 4, 4)
    assert 128 * 48 <= sum(made) <= (128 + 2 * 50) * 48


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_on_an_accelerator_a_process_generates_the_noise_of_its_own_part_alone(parts, monkeypatch):
    """With the same numbers for every split. The blocks are those of CUDA; the numbers are made here."""
    made, randn = [], torch.randn
    spec = BatchSpec(0, 64, 500, (3, 4, 4))
    monkeypatch.setattr(batch_module, "block_rows", lambda spec, device: block_rows(spec, "cuda"))
    whole = random_batch(spec, 5).eps
    monkeypatch.setattr(torch, "randn", lambda shape, **options: made.append(math.prod(shape)) or randn(shape, **options))
    pieces = [random_batch(spec, 5, "cpu", *part_bounds(64, part, parts)).eps for part in range(parts)]
    assert torch.equal(torch.cat(pieces), whole)
    assert sum(made) == whole.numel()
    assert len(made) == 8


def test_each_noise_block_has_its_own_generator(monkeypatch):
    generators = []

    def record(seed, name, step, *use, **device):
        generators.append((name, *use))
        return generator(seed, name, step, *use, **device)

    monkeypatch.setattr("diffkit_trainer.training.batch.BLOCK", 2)
    monkeypatch.setattr("diffkit_trainer.training.batch.generator", record)
    random_batch(BatchSpec(seed=2, batch_size=9, images=10, shape=(1, 1, 1)), 5, start=5, stop=7)
    assert generators == [("noise",), ("noise", 2), ("noise", 3)]


def test_a_noise_block_is_64_mb_or_one_sample():
    assert BLOCK * torch.zeros(()).nbytes == 2**26
    assert random_batch(BatchSpec(0, 2, 2, (3, 2400, 2400)), 0, start=1).eps.shape == (1, 3, 2400, 2400)


@pytest.mark.parametrize(("block", "rows"), [(1, 1), (24, 1), (80, 3), (10**6, 7)])
def test_noise_is_generated_block_by_block_and_is_the_same_for_every_part(block, rows, monkeypatch):
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
