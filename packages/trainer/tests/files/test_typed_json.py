"""Typed JSON: what does not fit is named by its field; formats have a version."""

from typing import Annotated

import pytest
from diffkit_trainer import RunError
from diffkit_trainer.files import NonNegativeInt, as_type, convert
from diffkit_trainer.files.typed_json import with_format, without_format
from msgspec import Meta, Struct


class Part(Struct):
    name: str
    sizes: list[NonNegativeInt] = []


class Whole(Struct):
    parts: dict[str, Part]
    rate: Annotated[float, Meta(gt=0)] = 1.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"parts": {}, "rate": -1.5}, "rate: expected float > 0.0, found -1.5"),
        ({"parts": {}, "rate": "x"}, "rate: expected float, got str"),
        ({"parts": {"a": {"name": "a", "sizes": [1, -2]}}}, r"parts\[\.\.\.\]\.sizes\[1\]: expected int >= 0"),
        ({"parts": {"a": {}}}, r"parts\[\.\.\.\]: object missing required field name"),
        ([], "expected object, got array"),
    ],
)
def test_the_message_names_the_field(value, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        convert(value, Whole)
    with pytest.raises(RunError, match=f"^a.json: {message}"):
        as_type(value, Whole, "a.json")


def test_a_value_that_fits_is_converted():
    assert convert({"parts": {"a": {"name": "b"}}, "rate": 2, "more": 1}, Whole) == Whole({"a": Part("b")}, 2.0)


@pytest.mark.parametrize("version", [1, None])
def test_the_format_is_optional_and_removed(version):
    assert without_format({"step": 3} | ({"format": version} if version else {}), "a.json") == {"step": 3}
    assert with_format({"step": 3, "format": 9}) == {"format": 1, "step": 3}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, "is written in format 2, this diffkit reads formats up to 1: upgrade diffkit"),
        *((other, "format must be an integer from 1, found ") for other in (0, 1.0, True, "1", None, [1])),
    ],
)
def test_other_formats_are_refused(version, message):
    with pytest.raises(RunError, match=f"^a.json: {message}"):
        without_format({"format": version}, "a.json")
