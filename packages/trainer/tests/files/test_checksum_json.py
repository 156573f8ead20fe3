"""JSON with a checksum: any change is noticed."""

import json

import pytest
from diffkit_trainer import RunError
from diffkit_trainer.files.checksum_json import verify_checksum, with_checksum

DOCUMENT = {"a": [1, 2], "b": "ü"}


def test_a_document_survives_the_round_trip():
    assert verify_checksum(json.loads(json.dumps(with_checksum(DOCUMENT))), "a.json") == DOCUMENT


@pytest.mark.parametrize("change", [{"a": [2, 1]}, {"c": 1}, {"sha256": "0" * 64}, {"sha256": None}])
def test_a_change_is_refused(change):
    with pytest.raises(RunError, match=r"^a\.json: damaged: its content does not match its sha256$"):
        verify_checksum(with_checksum(DOCUMENT) | change, "a.json")


def test_a_document_without_checksum_is_refused():
    with pytest.raises(RunError, match="damaged"):
        verify_checksum(DOCUMENT, "a.json")
