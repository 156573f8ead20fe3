"""Data set objects: items of every kind, labels, classes, and items that are refused."""

from collections import UserDict

import pytest
import torch
from diffkit_trainer import DataError, open_images
from PIL import Image

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


def test_classes_keep_the_data_set_s_order():
    images = open_images(Named([(IMAGE, "cat"), (IMAGE, "dog")]))
    assert (images.labels.tolist(), images.classes) == ([1, 0], ("dog", "cat", "emu"))


def test_labels_may_be_integers_of_any_type():
    images = open_images([(IMAGE, torch.tensor(1)), (IMAGE, True), (IMAGE, 0)])
    assert images.labels.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [{"photo": IMAGE, "label": 1}],
            "item 0 of the data set: expected one of the keys 'image', 'img'; got 'photo', 'label'",
        ),
        ([{}], "item 0 of the data set: expected one of the keys 'image', 'img'; got $"),
        ([(IMAGE, 0), (IMAGE, 1.5)], "item 1 of the data set: expected an integer or a class name as its label, got 1.5"),
        ([(IMAGE, [1, 2])], r"item 0 of the data set: expected an integer or a class name as its label, got \[1, 2\]"),
        (
            [(IMAGE, 0), (IMAGE, "cat")],
            "item 1 of the data set has the label 'cat', the first 0; expected all of one kind, or none",
        ),
        ([(IMAGE, 0), IMAGE], "item 1 of the data set has the label None, the first 0; expected all of one kind, or none"),
        ([IMAGE, (IMAGE, 3)], "item 1 of the data set has the label 3, the first None; expected all of one kind"),
        ([(IMAGE, -1)], r"item 0 of the data set has the label -1; expected 0 \.\.\. "),
        (Named([(IMAGE, "cow")]), "item 0 of the data set has the label 'cow'; its classes are dog, cat, emu"),
        (Named([(IMAGE, 3)]), r"item 0 of the data set has the label 3; expected 0 \.\.\. 2, one a class"),
        ([(IMAGE, "dog"), ("image.png", "dog")], "item 1 of the data set: expected a Pillow image or a tensor"),
    ],
)
def test_other_items_are_refused_by_number(items, message):
    with pytest.raises(DataError, match=message) as caught:
        open_images(items)
    assert "\n" not in str(caught.value)


def test_a_label_of_none_is_no_label():
    images = open_images([(IMAGE, None), IMAGE])
    assert (images.labels, images.classes) == (None, ())


class Indexed(torch.utils.data.Dataset):
    """Like torch's data sets: a length, items by index, and no IndexError at the end."""

    classes = ("cat", "dog")

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.full((3, 5, 6), i, dtype=torch.uint8), i % 2


class Feature:
    names = ("cat", "dog")


class Rows(list):
    """Like Hugging Face's: mappings, with features for their columns."""

    features = {"label": Feature()}  # noqa: RUF012


def test_every_kind_of_data_set_is_read():
    pillow = [Image.new("RGB", (6, 5), (i, i, i)) for i in range(4)]
    rows = Rows({"image": image, "label": i % 2} for i, image in enumerate(pillow))
    pairs = ((image, i % 2) for i, image in enumerate(pillow))
    for source, classes in ((Indexed(), ("cat", "dog")), (rows, ("cat", "dog")), (pairs, ("0", "1"))):
        images = open_images(source)
        assert (images.shape, images.classes, images.labels.tolist()) == ((3, 5, 6), classes, [0, 1, 0, 1])
        assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    bare = open_images(iter(pillow), size=4)
    assert (bare.shape, bare.labels) == ((3, 4, 4), None)
    assert open_images(iter(pillow), size=(4, 9)).shape == (3, 4, 9)
    greys = open_images([Image.new("L", (2, 2), 7), Image.new("RGB", (2, 2), (1, 2, 3))])
    assert greys.pixels[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "the data set is empty"),
        ([torch.rand(4)], r"item 0 of the data set: expected a Pillow image or a tensor \(C, \*space\)"),
        ([torch.rand(1, 4), torch.rand(1, 5)], "item 1 of the data set is 1 x 5 of float32, the first is 1 x 4 of float32; exp"),
        ([torch.rand(2, 4), torch.zeros(2, 4)[None]], "item 1 of the data set is 1 x 2 x 4 of float32, the first is 2 x 4 of"),
        ([Image.new("L", (2, 2)), "a.png"], "item 1 of the data set: expected a Pillow image"),
        ([Image.new("L", (2, 3)), Image.new("L", (4, 5))], "item 1 of the data set is 4 x 5, the first is 2 x 3; pass a size"),
    ],
)
def test_other_images_are_refused_by_number(source, message):
    with pytest.raises(DataError, match=message):
        open_images(source)


@pytest.mark.parametrize("shape", [(2, 9), (4, 5, 6), (1, 3, 4, 5)])
def test_tensors_of_any_space_keep_their_numbers(shape):
    values = torch.randn(6, *shape)
    images = open_images(torch.utils.data.TensorDataset(values, torch.arange(6)))
    assert torch.equal(images.pixels, values)
    assert images.labels.tolist() == list(range(6))
    with pytest.raises(DataError, match="item 0 of the data set: expected a Pillow image or a uint8 tensor to resize"):
        open_images(list(values), size=4)
