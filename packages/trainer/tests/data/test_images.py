"""Every way an image can come, with known pixels; every way a folder can be wrong, with its message."""

import os
import shutil
import sys
import threading
import warnings
import zlib
from pathlib import Path

import pytest
import torch
from diffkit_trainer import DataError, Images, open_images
from diffkit_trainer.data.decode import decode
from diffkit_trainer.data.listing import list_images
from diffkit_trainer.data.modes import TURNS, square
from diffkit_trainer.pixels import as_pixels
from forks import python
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def flat(path, colour=(10, 20, 30), mode="RGB", size=(4, 4), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def gradient(size=(8, 6)):
    image = Image.new("RGB", size)
    image.putdata([(20 * x, 30 * y, 10 * (x + y)) for y in range(size[1]) for x in range(size[0])])
    return image


def pixel(path, xy=(0, 0)):
    return decode(path).getpixel(xy)


# --- the digits


def test_digits_are_the_published_ones():
    images = open_images()
    assert (len(images), images.shape, images.name) == (1797, (1, 8, 8), "digits")
    assert set(images.pixels.unique().tolist()) == {round(v * 255 / 16) for v in range(17)}
    assert images.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.classes == tuple("0123456789")
    first_row = [0, 0, 5, 13, 9, 1, 0, 0]  # of the first image, a zero
    assert images.pixels[0, 0, 0].tolist() == [round(v * 255 / 16) for v in first_row]


def test_digits_come_with_their_source_in_under_100_kb():
    folder = Path(sys.modules["diffkit_trainer"].__file__).parent / "digits"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
    assert "https://doi.org/10.24432/C50P49" in (folder / "README.md").read_text()


def test_a_folder_named_digits_goes_first(tmp_path, monkeypatch):
    flat(tmp_path / "digits" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert open_images("digits").shape == (3, 4, 4)


# --- Images


def test_statistics_in_closed_form():
    pixels = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    pixels[0, 0], pixels[:, 1] = 255, 51
    mean, std = Images(pixels).statistics()
    assert mean == pytest.approx((0.5, 0.2, 0.0), abs=1e-15)
    assert std == (0.5, 1.0, 1.0)


def test_statistics_over_many_chunks_equal_torch():
    pixels = torch.randint(0, 256, (40, 3, 512, 512), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = Images(pixels).statistics()
    for channel in range(3):
        values = pixels[:, channel].double() / 255
        assert mean[channel] == pytest.approx(float(values.mean()), rel=1e-12)
        assert std[channel] == pytest.approx(float(values.std(correction=0)), rel=1e-10)


def test_fingerprint_tells_what_is_trained_on():
    pixels = torch.arange(24, dtype=torch.uint8).view(2, 1, 3, 4)
    labels = torch.tensor([0, 1])
    same = [Images(pixels, labels, ("a", "b")), Images(pixels.clone(), labels.clone(), ("a", "b"), "another name")]
    others = [
        Images(pixels),
        Images(pixels, labels, ("a", "c")),
        Images(pixels, labels.flip(0), ("a", "b")),
        Images(pixels.flip(0), labels, ("a", "b")),
        Images(pixels.view(2, 1, 4, 3), labels, ("a", "b")),
    ]
    assert same[0].fingerprint == same[1].fingerprint
    assert len({images.fingerprint for images in [same[0], *others]}) == 6


@pytest.mark.parametrize(
    ("pixels", "labels", "classes"),
    [
        (torch.zeros(2, 1, 3, 3), None, ()),
        (torch.zeros(2, 2, 3, 3, dtype=torch.uint8), None, ()),
        (torch.zeros(0, 1, 3, 3, dtype=torch.uint8), None, ()),
        (torch.zeros(1, 3, 3, dtype=torch.uint8), None, ()),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0]), ("a",)),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0.0, 1.0]), ("a", "b")),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0, 1]), ("a",)),
    ],
)
def test_images_refuse_what_they_are_not(pixels, labels, classes):
    with pytest.raises(ValueError, match="must be"):
        Images(pixels, labels, classes)


# --- modes, turns, frames


@pytest.mark.parametrize(
    ("name", "mode", "value", "expected"),
    [
        ("a.png", "1", 1, 255),
        ("a.png", "L", 77, 77),
        ("a.png", "LA", (77, 255), 77),
        ("a.png", "LA", (77, 0), 255),
        ("a.png", "LA", (0, 51), 204),
        ("a.png", "RGB", (1, 2, 3), (1, 2, 3)),
        ("a.png", "RGBA", (9, 8, 7, 255), (9, 8, 7)),
        ("a.png", "RGBA", (9, 8, 7, 0), WHITE),
        ("a.png", "RGBA", (0, 255, 0, 51), (204, 255, 204)),
        ("a.tif", "CMYK", (0, 255, 255, 0), RED),
        ("a.tif", "CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("a.png", "I;16", 65535, 255),
        ("a.png", "I;16", 0x1234, 0x12),
        ("a.tif", "I;16", 255, 0),
        ("a.tif", "I;16B", 0x1234, 0x12),
        ("a.tif", "I", 65535, 255),
        ("a.tif", "I", 0x8001, 0x80),
        ("a.tif", "I", 70000, 255),
        ("a.tif", "I", -5, 0),
        ("a.tif", "F", 1.0, 255),
        ("a.tif", "F", 0.2, 51),
        ("a.tif", "F", 200.4, 200),
        ("a.tif", "F", 300.0, 255),
        ("a.tif", "F", -1.0, 0),
        ("a.pgm", "L", 5, 5),
        ("a.bmp", "RGB", (1, 2, 3), (1, 2, 3)),
        ("a.webp", "RGB", WHITE, WHITE),
    ],
)
def test_modes_have_known_pixels(tmp_path, name, mode, value, expected):
    flat(tmp_path / name, value, mode)
    assert pixel(tmp_path / name, (1, 2)) == expected
    assert open_images(tmp_path).shape == ((3 if isinstance(expected, tuple) else 1), 4, 4)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_a_transparent_entry(tmp_path, name):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    image.save(tmp_path / name, transparency=1)
    assert (pixel(tmp_path / name), pixel(tmp_path / name, (1, 0))) == (RED, WHITE)


def test_palette_with_half_transparent_entries(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=bytes([255, 51]))
    assert (pixel(tmp_path / "a.png"), pixel(tmp_path / "a.png", (1, 0))) == (RED, (204, 204, 255))


@pytest.mark.parametrize(("mode", "value", "key"), [("RGB", RED, RED), ("L", 9, 9)])
def test_transparent_colour_of_a_png(tmp_path, mode, value, key):
    flat(tmp_path / "a.png", value, mode, transparency=key)
    assert pixel(tmp_path / "a.png") == (WHITE if mode == "RGB" else 255)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_a_bad_file(tmp_path, bad):
    flat(tmp_path / "a.tif", bad, "F")
    with pytest.raises(DataError, match=r"a\.tif \(holds NaN or an infinity\)"):
        open_images(tmp_path)


# where the stored picture's rows and columns show, by the EXIF standard: orientation -> the same after turning it upright
UPRIGHT = {
    2: lambda x: x.flip(2),
    3: lambda x: x.flip(1, 2),
    4: lambda x: x.flip(1),
    5: lambda x: x.transpose(1, 2),
    6: lambda x: x.rot90(-1, (1, 2)),
    7: lambda x: x.transpose(1, 2).flip(1, 2),
    8: lambda x: x.rot90(1, (1, 2)),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_exif_orientation_gives_the_turned_pixels(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    gradient().save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    expected = UPRIGHT[orientation](as_pixels(gradient()))
    assert torch.equal(open_images(tmp_path).pixels[0], expected)


def test_exif_orientation_of_a_jpeg_at_reduced_scale(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: what is stored left is shown on top
    stored = Image.new("RGB", (640, 640), "black")
    stored.paste("white", (0, 0, 320, 640))
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    pixels = open_images(tmp_path, size=8).pixels[0]
    assert pixels[:, :3].min() > 250
    assert pixels[:, 5:].max() < 5


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", b"nonsense", b""])
def test_damaged_exif_loses_no_picture(tmp_path, exif):
    flat(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
    assert open_images(tmp_path).shape == (3, 4, 4)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_first_frame_of_an_animation(tmp_path, name):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    images = open_images(tmp_path)
    assert len(images) == 1
    assert images.pixels[0, :, 0, 0].tolist() == [255, 0, 0]


def test_grey_only_if_all_are(tmp_path):
    flat(tmp_path / "a.png", 7, "L")
    flat(tmp_path / "b.png", 1, "1")
    assert open_images(tmp_path).pixels[:, :, 0, 0].tolist() == [[7], [255]]
    flat(tmp_path / "c.png", (1, 2, 3))
    flat(tmp_path / "d.png", 9, "L")
    assert open_images(tmp_path).pixels[:, :, 0, 0].tolist() == [[7, 7, 7], [255, 255, 255], [1, 2, 3], [9, 9, 9]]


# --- sizes


@pytest.mark.parametrize("shape", [(1, 1), (10000, 1), (1, 10000), (3, 5), (16, 16), (40, 17)])
def test_any_shape_becomes_a_square(tmp_path, shape):
    flat(tmp_path / "a.png", 99, "L", shape)
    pixels = open_images(tmp_path, size=16).pixels
    assert pixels.shape == (1, 1, 16, 16)
    assert pixels.unique().tolist() == [99]


def test_a_crop_alone_changes_no_pixel():
    image = gradient((9, 4))
    assert torch.equal(as_pixels(square(image, 4)), as_pixels(image)[:, :, 2:6])
    assert square(image.crop((0, 0, 4, 4)), 4).tobytes() == image.crop((0, 0, 4, 4)).tobytes()


def test_shrinking_is_antialiased():
    board = Image.new("L", (64, 64))
    board.putdata([255 * ((x + y) % 2) for y in range(64) for x in range(64)])
    low, high = square(board, 8).getextrema()
    assert 120 <= low <= high <= 135


def test_a_large_jpeg_is_decoded_at_a_reduced_scale_to_nearly_the_same_pixels(tmp_path):
    image = gradient((8, 8)).resize((1024, 1024), Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.jpg", quality=95)
    image.save(tmp_path / "b.png")
    fast, slow = (as_pixels(decode(tmp_path / name, 32)).int() for name in ("a.jpg", "b.png"))
    assert (fast - slow).abs().max() <= 4


def test_different_sizes_need_a_size(tmp_path):
    flat(tmp_path / "a.png", size=(4, 5))
    flat(tmp_path / "b.png", size=(4, 5))
    flat(tmp_path / "c.png", size=(6, 7))
    with pytest.raises(DataError, match=r"a\.png is 4 x 5, c\.png is 6 x 7; pass --size"):
        open_images(tmp_path)
    assert open_images(tmp_path, size=5).shape == (3, 5, 5)


def test_an_early_end_leaves_the_callers_warnings_and_threads_as_they_were(tmp_path):
    for i in range(3):
        flat(tmp_path / f"{i}.png", size=(4 + i, 4))
    filters, threads = list(warnings.filters), threading.active_count()
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    assert (list(warnings.filters), threading.active_count()) == (filters, threads)
    assert caught.value.bad == []


@pytest.mark.parametrize("size", [0, -1, 4097])
def test_size_has_a_range(size):
    with pytest.raises(ValueError, match=f"size must be in 1 ... 4096, got {size}"):
        open_images("digits", size=size)


# --- folders


def test_classes_are_the_first_level(tmp_path):
    for name in ("rose/1.png", "daisy/deep/er/2.png", "tulip/3.png", "rose/0.png"):
        flat(tmp_path / name)
    images = open_images(tmp_path)
    assert images.classes == ("daisy", "rose", "tulip")
    assert images.labels.tolist() == [0, 1, 1, 2]
    flat(tmp_path / "stray.png")
    images = open_images(tmp_path)
    assert (images.labels, images.classes) == (None, ())


def test_order_is_that_of_the_names(tmp_path):
    names = [f"{c}/{i:02d}.png" for c in "abc" for i in range(8)]
    for folder, order in (("one", names), ("two", names[::-1]), ("three", names[5:] + names[:5])):
        for name in order:
            flat(tmp_path / folder / name, names.index(name), "L")
    one, two, three = (open_images(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one.pixels[:, 0, 0, 0].tolist() == list(range(24))
    assert one.fingerprint == two.fingerprint == three.fingerprint


def test_suffixes_in_capitals_and_unicode_names(tmp_path):
    for name in ("A.PNG", "b.WebP", "c.JPEG", "größe-图.png", "new\nline.gif", "d.tiff"):
        flat(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    flat(tmp_path / ".hidden.png")
    flat(tmp_path / ".cache" / "e.png")
    assert len(open_images(tmp_path)) == 6


def test_names_that_are_no_utf8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    shutil.copy(flat(tmp_path / "a.png"), folder + b"/na\xefve.png")
    (tmp_path / "a.png").unlink()
    assert open_images(tmp_path).classes == ("caf\\xe9",)
    Path(os.fsdecode(folder + b"/na\xefve.png")).write_bytes(b"text")
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    assert "caf\\xe9/na\\xefve.png (not an image)" in str(caught.value)
    assert str(caught.value).encode("utf-8").count(b"\n") == 0


def test_link_loops_end_and_each_file_counts_once(tmp_path):
    root = tmp_path / "root"
    flat(root / "m" / "a.png", 1, "L")
    flat(tmp_path / "outside" / "b.png", 2, "L")
    flat(tmp_path / "blob", 3, "L", format="PNG")
    (root / "m" / "up").symlink_to(root)
    (root / "m" / "self").symlink_to(root / "m")
    (root / "a-link-to-m").symlink_to(root / "m")
    (root / "again.png").symlink_to(root / "m" / "a.png")
    (root / "n1").symlink_to(tmp_path / "outside")
    (root / "n2").symlink_to(tmp_path / "outside")
    (root / "p").mkdir()
    (root / "p" / "c.png").symlink_to(tmp_path / "blob")
    (root / "p" / "d.png").symlink_to(tmp_path / "blob")
    assert list_images(root) == (["m/a.png", "n1/b.png", "p/c.png"], [])
    assert open_images(root).pixels[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_twenty_thousand_files_are_listed(tmp_path):
    for i in range(200):
        (tmp_path / f"{i:03d}").mkdir()
        for j in range(100):
            os.close(os.open(tmp_path / f"{i:03d}" / f"{j:02d}.png", os.O_CREAT))
    files, bad = list_images(tmp_path)
    assert (len(files), bad) == (20_000, [])
    assert files == sorted(files)


def test_one_image_is_enough(tmp_path):
    flat(tmp_path / "a.png")
    assert len(open_images(tmp_path)) == 1


# --- what goes wrong


def test_three_messages_for_three_empty_answers(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text" / "sub").mkdir(parents=True)
    (tmp_path / "text" / "a.txt").write_text("no image")
    for name, message in {
        "missing": "no such folder",
        "empty": "the folder is empty",
        "text": r"no images in this folder or below it; looked for \.png .*\.jpg",
        "text/a.txt": "is a file, not a folder",
    }.items():
        with pytest.raises(DataError, match=message):
            open_images(tmp_path / name)


def make_bad(root):
    flat(root / "ok" / "good.png")
    flat(root / "ok" / "cut.jpg", size=(64, 64))
    whole = (root / "ok" / "cut.jpg").read_bytes()
    (root / "ok" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "text.png").write_text("no image")
    (root / "empty.png").touch()
    (root / "folder.png").mkdir()
    flat(root / "folder.png" / "inside.png")
    (root / "dangling.png").symlink_to(root / "nowhere")
    (root / "turning.png").symlink_to(root / "turning.png")
    os.mkfifo(root / "fifo.png")
    (root / "to-fifo.png").symlink_to(root / "fifo.png")
    (root / "device.png").symlink_to("/dev/zero")
    (root / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    return {
        "dangling.png": "dangling link, no such file or directory",
        "device.png": "a device",
        "empty.png": "empty",
        "fifo.png": "a FIFO",
        "folder.png": "a folder",
        "ok/cut.jpg": "truncated",
        "page.png": "not an image",
        "text.png": "not an image",
        "to-fifo.png": "a FIFO",
        "turning.png": "dangling link, too many levels of symbolic links",
    }


def test_every_bad_file_is_named_with_its_reason(tmp_path):
    expected = make_bad(tmp_path)
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    message = str(caught.value)
    assert "10 of 11 files cannot be read as images: dangling.png (dangling link" in message
    assert message.endswith("turning.png (dangling link, too many levels of symbolic links); remove them or pass --skip-bad")
    assert "\n" not in message
    assert caught.value.bad == [(tmp_path / name, why) for name, why in expected.items()]


def test_skip_bad_goes_on_without_them(tmp_path):
    expected = make_bad(tmp_path)
    calls = []
    images = open_images(tmp_path, skip_bad=True, on_progress=lambda done, total: calls.append((done, total)))
    assert (len(images), images.classes) == (1, ("ok",))
    assert images.skipped == tuple((tmp_path / name, why) for name, why in expected.items())
    assert calls == [(7, 11), (8, 11), (9, 11), (10, 11), (11, 11)]  # the first six are never opened


def test_a_file_that_vanishes_while_the_folder_is_read_is_named(tmp_path):
    """Row 38, where nothing is packed: listed, and gone before its turn came."""
    for i in range(200):
        flat(tmp_path / f"{i:03d}.png")

    def remove(done, total):
        if done == 1:
            (tmp_path / "199.png").unlink()

    with pytest.raises(DataError, match=r"1 of 200 files cannot be read as images: 199\.png \(no such file or directory\)"):
        open_images(tmp_path, on_progress=remove)


def test_skip_bad_cannot_go_on_without_any(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"1 of 1 files cannot be read as images: a\.png \(empty\); no image is left"):
        open_images(tmp_path, skip_bad=True)


def test_a_long_list_is_cut_in_the_message_alone(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02d}.png").touch()
    with pytest.raises(DataError, match=r"19\.png \(empty\) and 10 more; remove") as caught:
        open_images(tmp_path)
    assert len(caught.value.bad) == 30


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp", "tif"])
def test_half_a_file_is_never_half_a_picture(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = torch.randint(0, 256, (64 * 64 * 3,), generator=torch.Generator().manual_seed(0))
    Image.frombytes("RGB", (64, 64), bytes(noise.tolist())).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"a\.{suffix} \((truncated|damaged|not an image)"):
        open_images(tmp_path)


@pytest.mark.parametrize("side", [13000, 20000])
def test_bombs_are_named_with_their_size(tmp_path, side):
    path = tmp_path / "bomb.png"
    flat(path, 0, "1", (8, 8))
    content = bytearray(path.read_bytes())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with (
        warnings.catch_warnings(record=True) as seen,
        pytest.raises(DataError, match=rf"bomb\.png \(too large: {side} x {side}, "),
    ):
        open_images(tmp_path, size=8)
    assert not seen


def test_unreadable_file_and_folder_are_named(tmp_path):
    flat(tmp_path / "good.png")
    flat(tmp_path / "closed.png").chmod(0)
    flat(tmp_path / "vault" / "a.png").parent.chmod(0)
    try:
        message = message_for_a_user(tmp_path)
    finally:
        (tmp_path / "vault").chmod(0o700)
    assert "2 of 3 files cannot be read as images: closed.png (permission denied), vault/ (permission denied); " in message


def message_for_a_user(folder):
    """What open_images raises in a process that is not root, from whom chmod 000 would keep nothing."""
    script = """if True:
        import os, sys
        from PIL import Image
        from diffkit_trainer import DataError, open_images
        Image.preinit()  # imports no more once the user has changed: the packages may lie in a folder of root's
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            open_images(sys.argv[1])
        except DataError as error:
            sys.stdout.write(str(error))
    """
    # pytest's folders are closed to other users; opened for as long as the process runs
    modes = {path: path.stat().st_mode for path in (folder, *folder.parents) if path.stat().st_mode & 0o005 != 0o005}
    try:
        for path, mode in modes.items():
            path.chmod(mode | 0o005)
        return python("-c", script, folder).stdout
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
