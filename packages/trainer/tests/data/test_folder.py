"""Folders of images: order, classes, sizes, and every bad file."""

import os
import threading
import warnings

import pytest
from diffkit_trainer import DataError, open_images


def test_images_of_different_sizes_need_a_size(tmp_path, write_image):
    write_image(tmp_path / "a.png", size=(4, 5))
    write_image(tmp_path / "b.png", size=(4, 5))
    write_image(tmp_path / "c.png", size=(6, 7))
    with pytest.raises(DataError, match=r"a\.png is 4 x 5, c\.png is 6 x 7; pass --size"):
        open_images(tmp_path)
    assert open_images(tmp_path, size=5).shape == (3, 5, 5)


def test_an_error_restores_warning_filters_and_threads(tmp_path, write_image):
    for i in range(3):
        write_image(tmp_path / f"{i}.png", size=(4 + i, 4))
    filters, threads = list(warnings.filters), threading.active_count()
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    assert (list(warnings.filters), threading.active_count()) == (filters, threads)
    assert caught.value.bad == []


def test_the_first_level_of_folders_names_the_classes(tmp_path, write_image):
    for name in ("rose/1.png", "daisy/deep/er/2.png", "tulip/3.png", "rose/0.png"):
        write_image(tmp_path / name)
    images = open_images(tmp_path)
    assert images.classes == ("daisy", "rose", "tulip")
    assert images.labels.tolist() == [0, 1, 1, 2]
    write_image(tmp_path / "stray.png")
    images = open_images(tmp_path)
    assert (images.labels, images.classes) == (None, ())


def test_images_are_in_the_order_of_their_names(tmp_path, write_image):
    names = [f"{c}/{i:02d}.png" for c in "abc" for i in range(8)]
    for folder, order in (("one", names), ("two", names[::-1]), ("three", names[5:] + names[:5])):
        for name in order:
            write_image(tmp_path / folder / name, names.index(name), "L")
    one, two, three = (open_images(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one.pixels[:, 0, 0, 0].tolist() == list(range(24))
    assert one.fingerprint == two.fingerprint == three.fingerprint


def test_a_folder_may_hold_one_image(tmp_path, write_image):
    write_image(tmp_path / "a.png")
    assert len(open_images(tmp_path)) == 1


@pytest.fixture
def bad_files(tmp_path, write_image):
    """Files of every bad kind in tmp_path, with the expected reasons, next to one good image."""
    write_image(tmp_path / "ok" / "good.png")
    cut = write_image(tmp_path / "ok" / "cut.jpg", size=(64, 64))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    write_image(tmp_path / "folder.png" / "inside.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "turning.png").symlink_to(tmp_path / "turning.png")
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "to-fifo.png").symlink_to(tmp_path / "fifo.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
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


def test_every_bad_file_is_listed_with_its_reason(tmp_path, bad_files):
    with pytest.raises(DataError) as caught:
        open_images(tmp_path)
    message = str(caught.value)
    assert "10 of 11 files cannot be read as images: dangling.png (dangling link" in message
    assert message.endswith("turning.png (dangling link, too many levels of symbolic links); remove them or pass --skip-bad")
    assert "\n" not in message
    assert caught.value.bad == [(tmp_path / name, reason) for name, reason in bad_files.items()]


def test_skip_bad_leaves_bad_files_out(tmp_path, bad_files):
    calls = []
    images = open_images(tmp_path, skip_bad=True, on_progress=lambda done, total: calls.append((done, total)))
    assert (len(images), images.classes) == (1, ("ok",))
    assert images.skipped == tuple((tmp_path / name, reason) for name, reason in bad_files.items())
    assert calls == [(7, 11), (8, 11), (9, 11), (10, 11), (11, 11)]  # the first six are not opened


def test_a_file_that_is_removed_meanwhile_is_named(tmp_path, write_image):
    """Unpacked: a file is removed between listing and decoding."""
    for i in range(200):
        write_image(tmp_path / f"{i:03d}.png")

    def remove(done, total):
        if done == 1:
            (tmp_path / "199.png").unlink()

    with pytest.raises(DataError, match=r"1 of 200 files cannot be read as images: 199\.png \(no such file or directory\)"):
        open_images(tmp_path, on_progress=remove)


def test_skip_bad_needs_one_good_image(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"1 of 1 files cannot be read as images: a\.png \(empty\); no image is left"):
        open_images(tmp_path, skip_bad=True)


def test_a_long_list_is_shortened_in_the_message_only(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02d}.png").touch()
    with pytest.raises(DataError, match=r"19\.png \(empty\) and 10 more; remove") as caught:
        open_images(tmp_path)
    assert len(caught.value.bad) == 30


def test_unreadable_files_and_folders_are_listed(tmp_path, write_image, run_python):
    write_image(tmp_path / "good.png")
    write_image(tmp_path / "closed.png").chmod(0)
    write_image(tmp_path / "vault" / "a.png").parent.chmod(0)
    try:
        message = message_without_root(run_python, tmp_path)
    finally:
        (tmp_path / "vault").chmod(0o700)
    assert "2 of 3 files cannot be read as images: closed.png (permission denied), vault/ (permission denied); " in message


def message_without_root(run_python, folder):
    """What open_images raises in a process without root, for which chmod 000 has an effect."""
    script = """if True:
        import os, sys
        from PIL import Image
        from diffkit_trainer import DataError, open_images
        Image.preinit()  # no imports after the change of user: the packages may be in a folder of root's
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            open_images(sys.argv[1])
        except DataError as error:
            sys.stdout.write(str(error))
    """
    # other users may not enter pytest's folders: allow it while the process runs
    modes = {path: path.stat().st_mode for path in (folder, *folder.parents) if path.stat().st_mode & 0o005 != 0o005}
    try:
        for path, mode in modes.items():
            path.chmod(mode | 0o005)
        return run_python("-c", script, folder).stdout
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
