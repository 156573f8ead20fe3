"""A full or read-only disk, and the files that commands write."""

import shutil
import subprocess

import pytest

from ..helpers import DIFFKIT, TINY, one_line

FULL = "No space left on device"
OLDER = b"older"


@pytest.fixture(scope="module")
def pipeline(mapped, tmp_path_factory):
    """The network as diffusers has it, some 650 kB; nobody changes it."""
    folder = tmp_path_factory.mktemp("module") / "theirs"
    subprocess.run([DIFFKIT, "export", mapped, "--out", folder, "--format", "diffusers"], capture_output=True, check=True)
    return folder


@pytest.fixture
def disk(small_disk, monkeypatch):
    """A disk of 256 kB, to work on."""
    folder = small_disk("256k")
    monkeypatch.chdir(folder)
    return folder


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def older(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(OLDER)


NETWORKS = {
    "export {run} --out net.safetensors": "net.safetensors",
    "export {run} --out net --format diffusers": "net/unet/diffusion_pytorch_model.safetensors",
    "import {pipeline} --out net.safetensors": "net.safetensors",
    "import {pipeline} --out net": "net/model.safetensors",
}


@pytest.mark.parametrize("command", NETWORKS)
def test_an_export_is_complete_or_absent(disk, mapped, pipeline, command):
    """Half of it fits."""
    name = NETWORKS[command]
    older(disk / name)
    words = [*command.format(run=mapped, pipeline=pipeline).split(), "--force"]
    done = subprocess.run([DIFFKIT, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", f"diffkit: {name}: {FULL}\n")
    assert files(disk) == {name: OLDER}


def test_a_config_that_does_not_fit_on_the_disk_leaves_no_file(small_disk, mapped, tmp_path, diffkit):
    assert diffkit("export", mapped, "--out", tmp_path / "net")[0] == 0
    whole = files(tmp_path / "net")
    pages = -(-len(whole["model.safetensors"]) // 4096)
    disk = small_disk(f"{4 * pages + 4}k")
    older(disk / "net" / "config.json")
    code, _, said = diffkit("export", mapped, "--out", disk / "net", "--force")
    assert (code, said) == (4, f"diffkit: {disk}/net: cannot be written ({FULL})\n")
    assert files(disk / "net") == whole | {"config.json": OLDER}


PICTURES = {
    "sample {run} -n 1 --steps 1 --out a.png": "a.png",
    "sample {run} -n 1 --steps 1 --out folder": "folder/00000.png",
    "sample {run} -n 1 --steps 2 --out {elsewhere} --gif a.gif": "a.gif",
    "sample {run} -n 1 --steps 2 --out {elsewhere} --webp a.webp": "a.webp",
    "steps {run} -n 1 --steps 1 --out a.png": "a.png",
    "interpolate {run} --rows 1 --columns 2 --steps 1 --out a.png": "a.png",
    "schedules cosine --out a.png": "a.png",
    "evaluate {run} -n 200 --steps 1 --out a.png": "a.png",
}


@pytest.mark.parametrize("command", PICTURES)
def test_an_image_is_complete_or_absent(disk, mapped, tmp_path, diffkit, command):
    name = PICTURES[command]
    older(disk / name)
    (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free))
    code, out, said = diffkit(*command.format(run=mapped, elsewhere=tmp_path / "a.png").split(), "--force")
    assert code == 4
    assert bool(out) == command.startswith(("evaluate", "schedules")), "what was found is told, whatever becomes of its picture"
    assert one_line(said) == f"diffkit: {name}: {FULL}\n"
    (disk / "other").unlink()
    assert files(disk) == {name: OLDER}


@pytest.mark.parametrize("command", ["export {run} --out net.safetensors", "export {run} --out net", "sample {run} --out a.png"])
def test_a_read_only_disk_is_refused(disk, mapped, diffkit, command):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    code, out, said = diffkit(*command.format(run=mapped).split())
    assert (code, out) == (4, "")
    assert one_line(said) == f"diffkit: {command.split()[-1]}: Read-only file system\n"


def test_a_disk_without_room_for_a_checkpoint_is_refused_before_the_first_step(disk):
    done = subprocess.run([DIFFKIT, "train", "--out", "run", *TINY], capture_output=True, text=True, check=False)
    *_, said = done.stderr.splitlines()
    assert (done.returncode, "step 1/" in done.stderr) == (4, False)
    assert said.startswith("diffkit: run: ")
    assert " bytes are needed, " in said
    assert not (disk / "run").exists()
