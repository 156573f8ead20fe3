"""Lists of tensors of one type and device."""

import pytest
import torch
from diffkit_trainer.training.foreach import by_kind


def test_lists_are_of_one_type_and_device_in_the_order_of_the_first():
    one, two, wide, away = torch.ones(1), torch.ones(2), torch.ones(1, dtype=torch.float64), torch.ones(1, device="meta")
    groups = [group for (group,) in by_kind([one, wide, away, two])]
    assert [[id(each) for each in group] for group in groups] == [[id(one), id(two)], [id(wide)], [id(away)]]


def test_other_lists_are_split_in_the_same_way():
    tensors = [torch.ones(1), torch.ones(1, dtype=torch.float64), torch.ones(2)]
    assert [other for _, other in by_kind(tensors, "abc")] == [["a", "c"], ["b"]]
    assert list(by_kind([], [])) == []


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="argument 2"):
        list(by_kind([torch.ones(1)], []))
