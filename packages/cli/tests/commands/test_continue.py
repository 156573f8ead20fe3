"""A folder of images that was not finished: how many are there is said, and the same command generates the others."""

import re
import signal

from ..helpers import finished, one_line, start, until

KEPT = re.compile(r"(\d+) of 64 images are in (\S+): the same command generates the others\n")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_folder_is_continued_byte_for_byte(with_classes, tmp_path, diffkit):
    words = ["sample", with_classes, "-n", 64, "--steps", 8, "--eta", 1, "--batch-size", 4, "--out"]
    many = tmp_path / "many"
    with start(*words, many) as sampling:
        until((many / "00005.png").exists, sampling)
        sampling.send_signal(signal.SIGINT)
        code, said = finished(sampling)
    count, named = KEPT.fullmatch(said.removeprefix("diffkit: interrupted; ")).groups()
    assert (code, named) == (130, str(many))
    before = contents(many)
    assert len(before) == int(count) < 64
    other = diffkit(*words, many, "--seed", 1)
    assert (other[0], "00000.png (and " in one_line(other[2]), contents(many)) == (2, True, before)
    times = {name: (many / name).stat().st_mtime_ns for name in sorted(before)[: len(before) // 4 * 4]}
    code, _, said = diffkit(*words, many)
    assert (code, said.endswith(f": {many} ({count} of them were there)\n")) == (0, True)
    assert all((many / name).stat().st_mtime_ns == time for name, time in times.items()), "whole batches are not repeated"
    assert diffkit(*words, tmp_path / "whole")[0] == 0
    assert contents(many) == contents(tmp_path / "whole")
    assert "(64 of them were there)" in diffkit(*words, many)[2]


def test_a_full_disk_says_how_many_are_kept(blank, small_disk, diffkit):
    disk = small_disk("128k")
    code, _, said = diffkit("sample", blank, "-n", 64, "--steps", 1, "--batch-size", 4, "--out", disk / "many")
    full, _, kept = one_line(said).partition("; ")
    count, named = KEPT.fullmatch(kept).groups()
    assert (code, full) == (4, f"diffkit: {disk}/many/{int(count):05d}.png: No space left on device")
    assert (len(list((disk / "many").iterdir())), named) == (int(count), f"{disk}/many")


def test_rows_of_an_interpolation_are_continued_too(with_classes, tmp_path, diffkit):
    words = ["interpolate", with_classes, "--rows", 2, "--columns", 3, "--steps", 1, "--out", tmp_path / "path"]
    assert diffkit(*words)[0] == 0
    whole = contents(tmp_path / "path")
    for name in ("00004.png", "00005.png"):
        (tmp_path / "path" / name).unlink()
    assert "(4 of them were there)" in diffkit(*words)[2]
    assert contents(tmp_path / "path") == whole
