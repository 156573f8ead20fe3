"""A command in this process, and small runs to try it on."""

import signal
import sys

import pytest
import torch
from diffkit_cli.__main__ import main
from diffkit_schedules import linear_betas, to_config
from diffkit_unet import UNet, preset

from .helpers import TINY, process, untrained

# a shell that starts the tests in the background ignores Ctrl-C, nohup a closed terminal, and so would every command of theirs
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """The packed images of these tests, not of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)  # bits differ between numbers of threads, here and in the processes that are started
        yield


@pytest.fixture
def diffkit(capfd, monkeypatch):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["diffkit", *map(str, arguments)])
        before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
        streams = capfd.readouterr()
        return ended.value.code, streams.out, streams.err

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of six steps on the digits; nobody changes it."""
    run = tmp_path_factory.mktemp("session") / "run"
    done = process("train", "--out", run, *TINY)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def diffkit_beside_run(trained, tmp_path, monkeypatch, diffkit):
    """The command in an empty folder with a run named "run"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(trained)
    return diffkit


@pytest.fixture(scope="session")
def with_classes(tmp_path_factory):
    """A run whose network has ten classes and predicts each of them differently; nobody changes it."""
    torch.manual_seed(0)
    network = UNet(1, widths=(8, 16), block_depth=1, num_classes=10)
    torch.nn.init.normal_(network.out.weight, std=0.5)
    return untrained(tmp_path_factory.mktemp("session") / "classes", network)


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """A run whose network predicts zero noise for every input: x0 = x_t / alpha; nobody changes it."""
    return untrained(tmp_path_factory.mktemp("session") / "blank", UNet(1, widths=(8, 16), block_depth=1))


@pytest.fixture(scope="session")
def mapped(tmp_path_factory):
    """A run whose network, schedule and normalisation diffusers has too; nobody changes it."""
    torch.manual_seed(0)
    changes = {"widths": (16, 32), "embedding": 16, "groups": 8, "condition": "index", "block_depth": 1}
    network = preset("medium", in_channels=1, **changes)
    torch.nn.init.normal_(network.out.weight, std=0.2)
    other = {"schedule": to_config(linear_betas()), "condition": "index", "normalisation": {"mean": [0.5], "std": [0.5]}}
    return untrained(tmp_path_factory.mktemp("session") / "mapped", network, **other)
