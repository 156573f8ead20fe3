"""What the tests of the commands share: running one, and reading what it left."""

import os
import pty
import subprocess
import sys

from PIL import Image

COMMAND = [sys.executable, "-m", "diffkit_cli"]
TINY = ["--steps", "6", "--batch-size", "8", "--set", "log_every=2", "--set", "save_every=4", "--set", "sample_every=3"]


def process(*arguments, **options):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False, **options)


def on_a_terminal(*arguments, **environment):
    """What a command writes to a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    with subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=theirs, stderr=theirs, stdin=theirs, env=variables) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                part = b""
            if not part:
                break
            said += part
    os.close(ours)
    return said.decode(), running.returncode


def one_line(text):
    assert text.startswith("diffkit: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def size_of(path):
    with Image.open(path) as image:
        return image.size


def pixels(folder):
    """The bytes of each PNG of a folder, or of the one file."""
    images = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        with Image.open(path) as image:
            images.append(list(image.tobytes()))
    return images


def near(one, other, levels=1):
    return all(abs(a - b) <= levels for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def frames(path):
    """The bytes of each frame of an animation, as grey."""
    with Image.open(path) as animation:
        found = []
        for k in range(animation.n_frames):
            animation.seek(k)
            found.append(list(animation.convert("L").tobytes()))
        return found


def images(folder, sizes):
    folder.mkdir(parents=True)
    for i, size in enumerate(sizes):
        Image.new("RGB", size, (40 * i, 10, 200)).save(folder / f"{i}.png")
