"""The sinusoidal embedding against its closed form, in every dtype and through every move."""

import copy
import math

import pytest
import torch
from diffkit_unet import SinusoidalEmbedding


def closed_form(v, length, first, last):
    n = length // 2
    angles = [2 * math.pi * first * (last / first) ** (i / max(n - 1, 1)) * v for i in range(n)]
    return [math.sin(a) for a in angles] + [math.cos(a) for a in angles]


@pytest.mark.parametrize(("length", "first", "last"), [(32, 1.0, 1000.0), (2, 3.0, 5.0), (8, 0.16, 1e-5)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-7), (torch.float64, 1e-11)])
def test_closed_form(length, first, last, dtype, tolerance):
    v = torch.tensor([0.0, 0.3, 0.999, 1.0], dtype=dtype)
    got = SinusoidalEmbedding(length, first, last)(v)
    expected = torch.tensor([closed_form(entry, length, first, last) for entry in v.tolist()], dtype=torch.float64)
    assert got.dtype == dtype
    assert (got - expected).abs().max() < tolerance


def test_frequencies_are_a_constant_that_is_not_saved():
    embedding = SinusoidalEmbedding(32)
    assert embedding.state_dict() == {}
    assert list(embedding.parameters()) == []
    assert [name for name, _ in embedding.named_buffers()] == ["frequencies"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_cast_leaves_the_frequencies_as_they_are(dtype):
    embedding, v = SinusoidalEmbedding(32), torch.rand(5)
    expected = embedding(v)
    assert torch.equal(copy.deepcopy(embedding).to(dtype)(v), expected)


def test_narrow_and_integer_levels_answer_in_float32():
    embedding = SinusoidalEmbedding(32, first=0.1, last=1e-4)
    for v in (torch.tensor([0.5, 0.75], dtype=torch.bfloat16), torch.tensor([3, 999])):
        assert embedding(v).dtype == torch.float32
        assert torch.equal(embedding(v), embedding(v.float()))


def test_built_without_memory_it_has_its_values_when_it_gets_some():
    with torch.device("meta"):
        embedding = SinusoidalEmbedding(32)
    assert embedding.frequencies.device.type == "meta"
    assert torch.equal(embedding.to_empty(device="cpu").frequencies, SinusoidalEmbedding(32).frequencies)


def test_one_number_a_sample_in_any_shape():
    embedding, v = SinusoidalEmbedding(8), torch.rand(3)
    assert torch.equal(embedding(v.reshape(3, 1, 1, 1)), embedding(v))


def test_without_more_said_it_goes_from_one_turn_to_a_thousand():
    embedding = SinusoidalEmbedding(4)
    torch.testing.assert_close(embedding.frequencies, torch.tensor([1.0, 1000.0], dtype=torch.float64))
    assert "4, first=1.0, last=1000.0" in repr(embedding)


def test_the_cosines_may_stand_first():
    v = torch.rand(3)
    sines, cosines = SinusoidalEmbedding(8)(v).chunk(2, dim=1)
    assert torch.equal(SinusoidalEmbedding(8, cosine_first=True)(v), torch.cat([cosines, sines], dim=1))


def test_without_memory_it_stays_so_through_casts_and_inside_the_meta_device():
    for embedding in (SinusoidalEmbedding(32).to("meta"), SinusoidalEmbedding(32).to("meta").to(torch.bfloat16)):
        frequencies = embedding.frequencies
        assert (frequencies.device.type, frequencies.dtype, frequencies.shape) == ("meta", torch.float64, (16,))
    with torch.device("meta"):
        embedding = SinusoidalEmbedding(32).to_empty(device="cpu")
    assert torch.equal(embedding.frequencies, SinusoidalEmbedding(32).frequencies)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((31,), "length must be even .*, got 31"),
        ((0,), "length must be an integer from 2"),
        ((8, 0.0), r"\(first, last\) must be .* above 0, got \(0.0, 1000.0\)"),
        ((8, 1.0, math.inf), "finite numbers above 0"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        SinusoidalEmbedding(*arguments)
