"""An interrupted pack is continued, and a damaged journal is not used."""

import os
import signal

import pytest
from diffkit_trainer import open_images, pack
from forks import Fork


@pytest.fixture(scope="module")
def many(tmp_path_factory, write_folder):
    """A folder of more files than one line of the journal."""
    return write_folder(tmp_path_factory.mktemp("module") / "many", 700)


PACK_AND_STOP = """
import os, sys
from diffkit_trainer import pack
def progress(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
pack(sys.argv[1], 8, on_progress=progress)
"""


def test_packing_continues_after_a_kill(tmp_path, cache, write_folder, assert_equal):
    data = write_folder(tmp_path / "many", 1300)
    for stop, written in ((700, 512), (1290, 1024)):
        with Fork("-c", PACK_AND_STOP, data, stop) as process:
            assert process.wait() == -signal.SIGKILL
        (journal,) = cache.glob("packed/*.partial/journal")
        assert journal.read_text().count("\n") == written // 512
    with journal.open("a") as file:
        file.write('{"kinds": "cccc')  # as a power cut leaves it
    calls = []
    images = pack(data, 8, on_progress=lambda *call: calls.append(call))
    assert calls[0] == (1025, 1300)
    assert_equal(images, open_images(data, 8))


@pytest.mark.parametrize(
    "damage",
    [
        lambda journal, pixels: journal.write_text("{}\n"),
        lambda journal, pixels: journal.write_text(journal.read_text().replace("c", "g", 1)),
        lambda journal, pixels: journal.write_text(journal.read_text() * 9),
        lambda journal, pixels: (journal.unlink(), os.mkfifo(journal)),
        lambda journal, pixels: pixels.write_bytes(pixels.read_bytes()[:999]),
        lambda journal, pixels: pixels.unlink(),
    ],
    ids=["{}", "flipped", "too long", "a FIFO", "pixels cut off", "no pixels"],
)
def test_a_damaged_journal_is_not_used(many, cache, damage, assert_equal):
    class StoppedError(Exception):
        pass

    def stop(done, total):
        if done == 600:
            raise StoppedError

    with pytest.raises(StoppedError):
        pack(many, 8, on_progress=stop)
    (partial,) = cache.glob("packed/*.partial")
    damage(partial / "journal", partial / "pixels")
    assert_equal(pack(many, 8), open_images(many, 8))
