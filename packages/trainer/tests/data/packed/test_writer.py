"""An interrupted pack is continued by the next call."""

import signal

from diffkit_trainer import open_images, pack

PACK_AND_STOP = """
import os, sys
from diffkit_trainer import pack
def progress(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
pack(sys.argv[1], 8, on_progress=progress)
"""


def test_packing_continues_after_a_kill(tmp_path, cache, write_folder, assert_equal, start_python):
    data = write_folder(tmp_path / "many", 1300)
    for stop, written in ((700, 512), (1290, 1024)):
        with start_python("-c", PACK_AND_STOP, data, stop) as process:
            assert process.wait() == -signal.SIGKILL
        (journal,) = cache.glob("packed/*.partial/journal")
        assert journal.read_text().count("\n") == written // 512
    with journal.open("a") as file:
        file.write('{"kinds": "cccc')  # as a power cut leaves it
    calls = []
    images = pack(data, 8, on_progress=lambda *call: calls.append(call))
    assert calls[0] == (1025, 1300)
    assert_equal(images, open_images(data, 8))
