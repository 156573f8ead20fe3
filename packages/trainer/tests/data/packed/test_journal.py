"""A damaged journal is used up to the damage, and no further."""

import os

import pytest
from diffkit_trainer import open_images, pack


@pytest.fixture(scope="module")
def many(tmp_path_factory, write_folder):
    """A folder of more files than one line of the journal."""
    return write_folder(tmp_path_factory.mktemp("module") / "many", 700)


@pytest.mark.parametrize(
    "damage",
    [
        lambda journal, pixels: journal.write_text("{}\n"),
        lambda journal, pixels: journal.write_text(journal.read_text().replace("c", "g", 1)),
        lambda journal, pixels: journal.write_text(journal.read_text() * 9),
        lambda journal, pixels: (journal.unlink(), os.mkfifo(journal)),
        lambda journal, pixels: (journal.unlink(), journal.symlink_to("/dev/zero")),
        lambda journal, pixels: (pixels.unlink(), os.mkfifo(pixels)),
        lambda journal, pixels: (pixels.unlink(), pixels.symlink_to("/dev/zero")),
        lambda journal, pixels: pixels.write_bytes(pixels.read_bytes()[:999]),
        lambda journal, pixels: pixels.unlink(),
    ],
    ids=["{}", "flipped", "too long", "a FIFO", "a device", "pixels a FIFO", "pixels a device", "pixels cut off", "no pixels"],
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
