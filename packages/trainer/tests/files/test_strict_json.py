"""JSON that is refused: not finite, ambiguous, too deep or too large."""

import pytest
from diffkit_trainer import RunError
from diffkit_trainer.files.strict_json import parse_object, read_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": NaN}', r"invalid JSON \(NaN is not a finite number\)"),
        (b'{"a": -Infinity}', r"invalid JSON \(-Infinity is not a finite number\)"),
        (b'{"a": 1e999}', r"invalid JSON \(1e999 is not a finite number\)"),
        (b'{"a": 1, "a": 2}', r"invalid JSON \(duplicate key\)"),
        (b'{"a": {"b": 1, "b": 1}}', r"invalid JSON \(duplicate key\)"),
        (b"\xff", r"invalid JSON \('utf-8' codec"),
        (b"[1]", "expected a JSON object, found list"),
        (b'{"a":' * 32 + b"[1]" + b"}" * 32, "expected JSON of at most 32 levels, found more"),
        (b'{"a":' * 10**5, r"invalid JSON \("),
    ],
)
def test_other_json_is_refused(text, message):
    with pytest.raises(RunError, match=f"^a.json: {message}") as caught:
        parse_object(text, "a.json")
    assert "\n" not in str(caught.value)


def test_32_levels_are_read():
    assert parse_object(b'{"a":' * 32 + b"1" + b"}" * 32, "a.json")


def test_a_file_has_a_largest_size(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json", 8) == {"a": 1}
    with pytest.raises(RunError, match=r"a\.json: expected at most 7 bytes, found 8"):
        read_json(tmp_path / "a.json", 7)
