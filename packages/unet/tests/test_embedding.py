"""The sinusoidal embedding against its closed form, in every dtype and after moves and casts."""

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


@pytest.mark.parametrize("cosine_first", [False, True])
def test_sines_and_cosines_of_known_turns(cosine_first):
    got = SinusoidalEmbedding(6, first=0.25, last=4.0, cosine_first=cosine_first)(torch.tensor([1.0, 0.125]).double())
    turns = torch.tensor([[0.25, 1.0, 4.0], [0.03125, 0.125, 0.5]]).double() * 2 * math.pi
    halves = [turns.cos(), turns.sin()] if cosine_first else [turns.sin(), turns.cos()]
    torch.testing.assert_close(got, torch.cat(halves, 1))


def test_frequencies_are_a_constant_and_not_saved():
    embedding = SinusoidalEmbedding(32)
    assert embedding.state_dict() == {}
    assert list(embedding.parameters()) == []
    assert [name for name, _ in embedding.named_buffers()] == ["frequencies"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_cast_does_not_round_the_frequencies(dtype):
    embedding, v = SinusoidalEmbedding(32), torch.rand(5)
    expected = embedding(v)
    assert torch.equal(copy.deepcopy(embedding).to(dtype)(v), expected)


def test_output_of_narrow_and_integer_levels_is_float32():
    embedding = SinusoidalEmbedding(32, first=0.1, last=1e-4)
    for v in (torch.tensor([0.5, 0.75], dtype=torch.bfloat16), torch.tensor([3, 999])):
        assert embedding(v).dtype == torch.float32
        assert torch.equal(embedding(v), embedding(v.float()))


def test_frequencies_are_computed_when_a_meta_module_gets_memory():
    with torch.device("meta"):
        embedding = SinusoidalEmbedding(32)
    assert embedding.frequencies.device.type == "meta"
    assert torch.equal(embedding.to_empty(device="cpu").frequencies, SinusoidalEmbedding(32).frequencies)


def test_meta_module_stays_on_meta_when_cast():
    for embedding in (SinusoidalEmbedding(32).to("meta"), SinusoidalEmbedding(32).to("meta").to(torch.bfloat16)):
        frequencies = embedding.frequencies
        assert (frequencies.device.type, frequencies.dtype, frequencies.shape) == ("meta", torch.float64, (16,))
    with torch.device("meta"):
        embedding = SinusoidalEmbedding(32).to_empty(device="cpu")
    assert torch.equal(embedding.frequencies, SinusoidalEmbedding(32).frequencies)


def test_levels_of_shape_b111():
    embedding, v = SinusoidalEmbedding(8), torch.rand(3)
    assert torch.equal(embedding(v.reshape(3, 1, 1, 1)), embedding(v))


def test_defaults_and_repr():
    embedding = SinusoidalEmbedding(4)
    assert (embedding.length, embedding.first, embedding.last, embedding.cosine_first) == (4, 1.0, 1000.0, False)
    torch.testing.assert_close(embedding.frequencies, torch.tensor([1.0, 1000.0]).double())
    assert SinusoidalEmbedding(2, 3.0, 5.0).frequencies.tolist() == pytest.approx([3.0])
    assert repr(embedding) == "SinusoidalEmbedding(4, first=1.0, last=1000.0)"
    assert embedding.to("meta").frequencies.shape == (2,)
    assert embedding.frequencies.dtype == torch.float64


def test_cosine_first():
    v = torch.rand(3)
    sines, cosines = SinusoidalEmbedding(8)(v).chunk(2, dim=1)
    assert torch.equal(SinusoidalEmbedding(8, cosine_first=True)(v), torch.cat([cosines, sines], dim=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((31,), "length must be even .*, got 31"),
        ((0,), "length must be an integer from 2"),
        ((8, 0.0), r"\(first, last\) must be .* above 0, got \(0.0, 1000.0\)"),
        ((8, 1.0, math.inf), "finite numbers above 0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SinusoidalEmbedding(*arguments)
