"""Data set objects: dictionaries, classes by name, and items that are none."""

from collections import UserDict

import pytest
import torch
from diffkit_trainer import DataError, open_images

IMAGE = torch.zeros(1, 4, 4, dtype=torch.uint8)


@pytest.mark.parametrize("key", ["image", "img"])
@pytest.mark.parametrize("label", ["label", "labels", "fine_label"])
def test_items_may_be_mappings(key, label):
    for kind in (dict, UserDict):
        images = open_images([kind({key: IMAGE, label: k, "more": None}) for k in (1, 0, 2)])
        assert (images.labels.tolist(), images.classes) == ([1, 0, 2], ("0", "1", "2"))


def test_labels_may_be_names():
    images = open_images([(IMAGE, "dog"), (IMAGE, "cat"), (IMAGE, "dog")])
    assert (images.labels.tolist(), images.classes) == ([1, 0, 1], ("cat", "dog"))


class Named(list):
    classes = ("dog", "cat", "emu")


def test_names_are_those_of_the_data_set_in_its_order():
    images = open_images(Named([(IMAGE, "cat"), (IMAGE, "dog")]))
    assert (images.labels.tolist(), images.classes) == ([1, 0], ("dog", "cat", "emu"))


def test_whole_numbers_of_any_kind_are_labels():
    images = open_images([(IMAGE, torch.tensor(1)), (IMAGE, True), (IMAGE, 0)])
    assert images.labels.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [{"picture": IMAGE, "label": 1}],
            "item 0 of the data set: expected one of the keys 'image', 'img'; got 'picture', 'label'",
        ),
        ([{}], "item 0 of the data set: expected one of the keys 'image', 'img'; got $"),
        ([(IMAGE, 0), (IMAGE, 1.5)], "item 1 of the data set: expected a whole number or a name as its label, got 1.5"),
        ([(IMAGE, [1, 2])], r"item 0 of the data set: expected a whole number or a name as its label, got \[1, 2\]"),
        (
            [(IMAGE, 0), (IMAGE, "cat")],
            "item 1 of the data set has the label 'cat', the first 0; expected all of one kind, or none",
        ),
        ([(IMAGE, 0), IMAGE], "item 1 of the data set has the label None, the first 0; expected all of one kind, or none"),
        ([IMAGE, (IMAGE, 3)], "item 1 of the data set has the label 3, the first None; expected all of one kind"),
        ([(IMAGE, -1)], r"item 0 of the data set has the label -1; expected 0 \.\.\. "),
        (Named([(IMAGE, "cow")]), "item 0 of the data set has the label 'cow'; its classes are dog, cat, emu"),
        (Named([(IMAGE, 3)]), r"item 0 of the data set has the label 3; expected 0 \.\.\. 2, one a class"),
        ([(IMAGE, "dog"), ("image.png", "dog")], "item 1 of the data set: expected a Pillow image or a uint8 tensor"),
    ],
)
def test_what_is_no_item_is_named(items, message):
    with pytest.raises(DataError, match=message) as caught:
        open_images(items)
    assert "\n" not in str(caught.value)


def test_no_labels_at_all():
    images = open_images([(IMAGE, None), IMAGE])
    assert (images.labels, images.classes) == (None, ())
