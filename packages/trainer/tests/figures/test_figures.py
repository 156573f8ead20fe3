"""Notes in pictures, films, labels, plots, pictures read for editing, and how many images fit."""

import json

import pytest
import torch
from diffkit_trainer import (
    DataError,
    Panel,
    activations,
    auto_batch_size,
    free_memory,
    grid,
    read_image,
    read_mask,
    read_metadata,
    save_animation,
    save_images,
    save_plot,
    side_by_side,
    to_png,
    weights_hash,
    with_captions,
)
from diffkit_trainer.figures.metadata import png_text
from diffkit_trainer.pixels import as_pixels
from PIL import Image, ImageChops


def numbered(count, height=2, width=3):
    return torch.arange(1, count + 1, dtype=torch.uint8).view(-1, 1, 1, 1).expand(count, 1, height, width)


def test_a_note_comes_back(tmp_path):
    note = {"seed": 2**60, "eta": 0.1, "classes": ["Löwe"], "raw": False}
    to_png(numbered(1)[0], tmp_path / "a.png", note)
    assert read_metadata(tmp_path / "a.png") == note
    save_images(numbered(2), tmp_path / "two", notes=[{"seed": 0}, {"seed": 1}])
    assert [read_metadata(tmp_path / "two" / f"0000{i}.png")["seed"] for i in (0, 1)] == [0, 1]
    with Image.open(tmp_path / "a.png") as image:
        assert json.loads(image.text["diffkit"]) == {"format": 1} | note, "any program that reads PNG finds it"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "expected a JSON object"),
        ("{", "not the JSON that was written here"),
        ("[" * 3000, "not the JSON that was written here"),
        ("NaN " * 20000, "its note has 80000 characters, expected at most 65536"),
        ('{"format": 2}', "format 2"),
    ],
)
def test_a_note_that_is_none(tmp_path, text, why):
    info = png_text({})
    info.chunks.clear()
    info.add_text("diffkit", text)
    Image.new("L", (1, 1)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(DataError, match=why):
        read_metadata(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_film_is_its_grids_one_after_the_other(tmp_path, suffix):
    frames = [numbered(4) * k for k in (1, 20, 60)]
    save_animation(frames, tmp_path / f"film{suffix}", columns=2, seconds=0.3)
    with Image.open(tmp_path / f"film{suffix}") as film:
        assert film.n_frames == 3
        lengths = []
        for k, frame in enumerate(frames):
            film.seek(k)
            assert film.convert("L").tobytes() == grid(frame, 2).tobytes()
            lengths.append(film.info["duration"])
    assert lengths == [100, 100, 1000]


def test_what_is_no_film(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.gif or \.webp, got 'film\.png'"):
        save_animation([numbered(1)], tmp_path / "film.png")
    with pytest.raises(ValueError, match="at least one frame"):
        save_animation([], tmp_path / "film.gif")
    assert not any(tmp_path.iterdir())


def test_labels_stand_left_of_their_rows():
    plain = grid(numbered(4, 40, 40), 2, scale=1)
    picture = with_captions(numbered(4, 40, 40), ["one", "a longer one"], columns=2, scale=1)
    left = picture.width - plain.width
    assert picture.crop((left, 0, picture.width, picture.height)).tobytes() == plain.tobytes()
    rows = [as_pixels(picture.crop((0, top, left, top + 42)))[0] for top in (0, 42)]
    starts = [int((row < 128).any(0).nonzero()[0]) for row in rows]
    assert starts[1] < starts[0], "labels end at the picture, so the longer one begins before the other"
    with pytest.raises(ValueError, match="2 rows need one label each, got 1"):
        with_captions(numbered(4), ["one"], columns=2)


def test_pictures_stand_side_by_side_under_their_titles():
    pictures = [Image.new("RGB", (30, 20), "red"), Image.new("RGB", (40, 50), "blue")]
    whole = side_by_side(pictures, ["red", "blue"])
    assert whole.size == (30 + 8 + 40, 28 + 50)
    assert whole.crop((0, 28, 30, 48)).tobytes() == pictures[0].tobytes()
    assert whole.crop((38, 28, 78, 78)).tobytes() == pictures[1].tobytes()
    for left, right in ((0, 30), (38, 78)):
        assert whole.crop((left, 0, right, 28)).convert("L").getextrema()[0] < 100, "a title, black"
    assert set(whole.crop((30, 0, 38, 78)).tobytes()) == {255}
    with pytest.raises(ValueError, match="2 pictures need one title each, and one at least; got 1"):
        side_by_side(pictures, ["one"])
    with pytest.raises(ValueError, match="0 pictures"):
        side_by_side([], [])


def test_a_curve_goes_where_its_values_are(tmp_path):
    save_plot([Panel("p", {"up": [0.0, 1.0], "flat": [0.25, 0.25]}, 0, 1)], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        x = 44 + round(0.75 * (420 - 16 - 44))
        blue, red = (0x44, 0x77, 0xAA), (0xEE, 0x66, 0x77)
        where = {colour: [y for y in range(320) if plot.getpixel((x, y)) == colour] for colour in (blue, red)}
    up, flat = (276 - share * (276 - 44) for share in (0.75, 0.25))
    assert any(abs(y - up) <= 2 for y in where[blue])
    assert any(abs(y - flat) <= 2 for y in where[red])


def test_one_legend_for_all_panels(tmp_path):
    one, other = {f"curve {i}": [0.0, 1.0] for i in range(3)}, {"other": [1.0, 0.0]}
    save_plot([Panel("p", one, 0, 1), Panel("q", one | other, 0, 1)], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        legend = ImageChops.invert(plot.convert("L").crop((0, 320, *plot.size)))
    left, _, right, bottom = legend.getbbox()
    assert abs((left + right) / 2 - 420) <= 2, "in the middle"
    assert bottom <= 18, "four short names on one line"
    used = [legend.crop((x, 0, x + 1, 18)).getbbox() is not None for x in range(left, right)]
    assert "0" * 32 not in "".join("01"[each] for each in used), "and together"


def test_an_image_is_brought_to_a_shape(tmp_path):
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (10, 0, 20, 10))
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (3, 10, 30)).tolist() == as_pixels(image).tolist()
    centre = read_image(tmp_path / "a.png", (3, 5, 5))
    assert (centre[:, :, 1:4] == torch.tensor([0, 0, 255]).view(3, 1, 1)).all(), "the middle is kept, to the edges' blur"
    assert read_image(tmp_path / "a.png", (1, 4, 4)).shape == (1, 4, 4)


def test_a_mask_is_white_from_128(tmp_path):
    mask = Image.new("L", (4, 1))
    mask.putdata([0, 127, 128, 255])
    mask.save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", tmp_path / "mask.png", (1, 4)).tolist() == [[[False, False, True, True]]]


def test_what_fits_is_half_of_what_is_free(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 1), torch.nn.ReLU())
    x = torch.zeros(1, 1, 8, 8)  # 64 numbers in, 256 and 256 inside: 2,304 bytes
    for free, expected in ((2304 * 20, 10), (100, 1), (10**9, 64)):
        monkeypatch.setattr("diffkit_trainer.auto_batch.free_memory", lambda device, free=free: free)
        assert auto_batch_size(network, x) == expected


def test_what_layers_take_is_counted_without_taking_it():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 1), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 1))
    x = torch.zeros(1, 1, 8, 8)  # 64 numbers in, 256, 256 and 64 out
    assert activations(network, x) == (4 * 512, 4 * (64 + 256), 4 * (64 + 256 + 256 + 64))
    assert activations(network, torch.zeros(2**40, 1, 1, 1, device="meta")).least == 32 * 2**40


def test_free_memory_is_what_the_machine_and_the_groups_leave(tmp_path):
    def said(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return free_memory("cpu", tmp_path)

    assert said({}) is None
    assert said({"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 5000 kB\n"}) == 5000 * 1024
    second = {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "7\n"}
    assert said(second) == 5000 * 1024
    above = {"memory.max": "4000\n", "memory.current": "3500\n", "memory.stat": "anon 3000\ninactive_file 200\n"}
    assert said({f"sys/fs/cgroup/a/{name}": text for name, text in above.items()}) == 700
    first = {"memory.limit_in_bytes": "900\n", "memory.usage_in_bytes": "400\n", "memory.stat": "total_inactive_file 50\n"}
    named = {f"sys/fs/cgroup/memory/{name}": text for name, text in first.items()}
    assert said({"proc/self/cgroup": "4:memory:/\n0::/\n", **named}) == 550


def test_a_hash_is_of_names_shapes_and_values():
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(1)}
    others = [
        {"a": torch.ones(3, 2), "b": torch.zeros(1)},
        {"a": torch.ones(2, 3), "c": torch.zeros(1)},
        {"a": torch.ones(2, 3), "b": torch.zeros(1).double()},
        {"a": torch.ones(2, 3), "b": torch.ones(1)},
    ]
    assert weights_hash(dict(reversed(weights.items()))) == weights_hash(weights)
    assert len({weights_hash(each) for each in (weights, *others)}) == 5
