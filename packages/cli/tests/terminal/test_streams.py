r"""The one door to the terminal: whatever a name holds is shown and never obeyed. Among hostile names are "\x1b[2J", which clears
the screen, and "[/]", on which rich's markup ends a program.
"""

import ast
import json
import os
import pty
import re
import subprocess
import tomllib
import unicodedata
from contextlib import suppress
from pathlib import Path

import diffkit_cli
import pytest
from diffkit_cli.terminal.console import command
from diffkit_cli.terminal.streams import visible
from diffkit_cli.training.options import TrainOptions
from diffkit_cli.training.parse import to_toml
from diffkit_trainer import ExportedNetwork, load, write_export
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..helpers import DIFFKIT, on_a_terminal

HOSTILE = "\x1b[2J\x1b]0;o\x07[red]x:smile:\u202e\x9b31m\r\t\x7f'\udce9é"
"""Clears the screen, sets a window's title; markup, an emoji's name, the other direction, C1's escape, a byte of no UTF-8."""


def test_only_characters_that_a_terminal_acts_on_are_escaped():
    everything = "".join(map(chr, range(0x20000)))
    shown = visible(everything)
    assert all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in shown)
    assert visible(shown) == shown
    kept = [letter for letter in everything if visible(letter) == letter]
    assert not {unicodedata.category(letter) for letter in kept} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert {"é", "日", "\u3000", "😄", "[", "\\"} < set(kept)
    assert visible(HOSTILE) == r"\x1b[2J\x1b]0;o\x07[red]x:smile:\u202e\x9b31m\r\t\x7f'\xe9é"


@pytest.mark.parametrize("word", [HOSTILE, "a\nb", "-run", "it's", "'\x1b", "\\\x1b", "é\x1b0", "日 本"])
def test_a_command_can_be_pasted_into_a_shell(word):
    said = command("sample", Path(word))
    assert visible(said) == said
    echoed = subprocess.run(["bash", "-c", said.replace("diffkit sample", "printf %s")], capture_output=True, check=True).stdout
    assert Path(os.fsdecode(echoed)) == Path(word)


def test_a_config_that_is_shown_reads_back():
    text = to_toml(TrainOptions(data='\x1b[2J\u202e\x9b😄\\"'))
    assert all(visible(line) == line for line in text.split("\n"))
    assert tomllib.loads(text)["data"] == '\x1b[2J\u202e\x9b😄\\"'
    assert "data" not in tomllib.loads(to_toml(TrainOptions(data="\udce9")))


OUTPUT_NAMES = {"print", "input", "echo", "secho", "stderr", "__stdout__", "__stderr__", "Console", "rich", "logging", "click"}
OUTPUT_MODULES = {"streams.py", "console.py", "progress.py"}


@pytest.mark.parametrize("path", sorted(Path(diffkit_cli.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_only_the_output_modules_write_to_streams(path):
    """progress.py fills rich's bars, on the console."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", "") or "", *(each.name for each in node.names)]
            used |= {part for name in names for part in name.split(".")}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used.add(node.func.id)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            used |= {node.attr} if owner in ("sys", "typer", "os") else set()
            used |= {"stderr"} if (owner, node.attr) in (("sys.stdout", "write"), ("os", "write")) else set()
    assert path.name in OUTPUT_MODULES or not used & OUTPUT_NAMES


@pytest.fixture(scope="module")
def place(blank, tmp_path_factory):
    """Hostile names, of whatever a command is given."""
    folder = tmp_path_factory.mktemp("module")
    (folder / f"run{HOSTILE}").symlink_to(blank)
    (folder / "[").mkdir()
    (folder / "[" / "]").symlink_to(blank)  # "[/]", which markup takes for the end of what never began
    for name in (f"flat{HOSTILE}", f"classes{HOSTILE}/one{HOSTILE}", f"classes{HOSTILE}/two", f"bad{HOSTILE}", f"empty{HOSTILE}"):
        (folder / name).mkdir(parents=True)
        for k in range(3):
            Image.new("L", (8, 8), 80 * k).save(folder / name / "a.png")
            (folder / name / "a.png").rename(folder / name / f"{k}{HOSTILE}.png")
    for path in (folder / f"empty{HOSTILE}").iterdir():
        path.unlink()
    (folder / f"bad{HOSTILE}" / f"x{HOSTILE}.png").write_bytes(b"")
    text = HOSTILE.replace("\udce9", "")
    note = PngInfo()
    note.add_text("diffkit", json.dumps({"command": text, text: text, "weights": [text]}))
    Image.new("L", (8, 8)).save(folder / "a.png", pnginfo=note)
    (folder / "a.png").rename(folder / f"note{HOSTILE}.png")
    (folder / f"c{HOSTILE}.toml").write_text(f'"{visible(text)}" = 1'.replace("\\x", "\\u00"))
    (folder / f"text{HOSTILE}").write_text("text")
    _, config, weights, _ = load(blank)
    data = config["data"] | {"source": HOSTILE, "classes": [HOSTILE] * 10}
    write_export(
        folder / "names.safetensors", ExportedNetwork(weights, config | {"data": data, "imported": HOSTILE}, 0, raw=False)
    )
    write_export(
        folder / "tensors.safetensors", ExportedNetwork(weights | {text: weights["image.bias"].clone()}, config, 0, raw=False)
    )
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text(json.dumps(config | {"training": {HOSTILE: HOSTILE}, "prediction": HOSTILE}))
    return folder


SAID = [
    "{N}",
    "--{N}",
    "info run{N}",
    "info [/]",
    "info note{N}.png",
    "info names.safetensors",
    "info tensors.safetensors",
    "info nowhere{N}",
    "info text{N}",
    "info broken",
    "doctor flat{N}",
    "doctor classes{N}",
    "doctor bad{N}",
    "doctor empty{N}",
    "doctor nowhere{N}",
    "doctor flat{N} --size {N}",
    "sample run{N} -n 1 --steps 1 --out {out}",
    "sample run{N} --sampler {N}",
    "sample run{N} --spacing {N}",
    "sample run{N} --size {N}",
    "sample run{N} -n {N}",
    "sample run{N} --eta {N}",
    "sample run{N} --device {N}",
    "sample run{N} --class {N}",
    "sample names.safetensors --class {N}",
    "sample run{N} --like note{N}.png",
    "sample run{N} --init nowhere{N}",
    "sample run{N} --out {out}.jpg",
    "sample run{N} --gif {N}",
    "sample broken",
    "interpolate run{N} --from nowhere{N} --to text{N}",
    "interpolate run{N} --from nowhere{N}",
    "steps run{N} --steps {N}",
    "inpaint run{N} text{N} --mask nowhere{N}",
    "inpaint run{N} note{N}.png --mask note{N}.png -n 1 --steps 1 --rounds 1 --out {out}",
    "evaluate run{N} nowhere{N}",
    "evaluate names.safetensors",
    "evaluate run{N} --features text{N}",
    "export run{N} --out {out}.safetensors",
    "export run{N} --out {out} --format {N}",
    "export run{N} --out {out}.{N}",
    "import text{N} --out {out}",
    "import flat{N} --out {out}",
    "schedules {N}",
    "schedules cosine --out {out}.png",
    "train nowhere{N}",
    "train flat{N} --preset {N}",
    "train flat{N} --config c{N}.toml",
    "train flat{N} --config nowhere{N}",
    "train flat{N} --set {N}=1",
    "train flat{N} --set {N}",
    "train flat{N} --set loss={N}",
    "train flat{N} --set lr={N}",
    "train flat{N} --resume --out nowhere{N}",
    "train flat{N} --resume --out broken",
    "train flat{N} --out run{N}",
    "train flat{N} --out text{N}",
    "train bad{N} --out {out}",
]


def words_of(case, out):
    return [word.replace("{out}", str(out)).replace("{N}", HOSTILE) for word in case.split(" ")]


@pytest.mark.parametrize("case", SAID)
def test_hostile_names_are_shown_harmless(place, tmp_path, monkeypatch, diffkit, case):
    monkeypatch.chdir(place)
    words = words_of(case, tmp_path / f"out{HOSTILE}")
    code, out, said = diffkit(*words)
    assert "Traceback" not in said
    assert code in (0, 2, 3, 4)
    assert out + said
    for line in (out + said).split("\n"):
        assert visible(line) == line


@pytest.mark.parametrize("case", ["doctor classes{N} --json", "info note{N}.png --json", "info names.safetensors --json"])
def test_json_escapes_hostile_names_as_ascii(place, monkeypatch, diffkit, case):
    monkeypatch.chdir(place)
    code, out, said = diffkit(*words_of(case, ""))
    assert (code, out.isascii(), out.count("\n")) == (0, True, 1), said
    assert "\x1b[2J" in str([*flat(json.loads(out))]).encode().decode("unicode_escape")


SHOWN = [
    "sample [/] -n 1 --steps 1 --out {out}",
    "doctor [/]",
    "doctor classes{N}",
    "info names.safetensors",
    "sample run{N} -n 1 --steps 1 --out {out}",
    "train flat{N} --size 8 --preset tiny --batch-size 1 --steps 1 --out {out}",
    "evaluate run{N} nowhere{N}",
]


@pytest.mark.parametrize("case", SHOWN)
def test_bars_spinners_and_tables_escape_hostile_names(place, tmp_path, monkeypatch, case):
    monkeypatch.chdir(place)
    shown, _ = on_a_terminal(*words_of(case, tmp_path / f"out{HOSTILE}"))
    assert "Traceback" not in shown
    assert (r"\x1b[2J\x1b]0;o\x07[red]x:smile:" if "{N}" in case or "names" in case else "[/]") in "".join(shown.split())
    assert not re.search("\x1b\\[2J|\x1b\\]0;|\u202e|\x9b|\x07|\x7f|😄", shown)


def flat(document):
    if isinstance(document, dict | list):
        for each in document.items() if isinstance(document, dict) else document:
            yield from flat(list(each) if isinstance(each, tuple) else each)
    else:
        yield document


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["latin-1", "C"],
)
def test_a_terminal_without_unicode_ends_no_command(tmp_path, variables):
    """New interpreters: the encoding is chosen when one starts."""
    (tmp_path / "日😄").mkdir()
    for arguments, part in [
        (
            ["sample", "digits", "-n", "1", "--steps", "1", "--out", "日😄/a.png"],
            b"1 image from the bundled digits network, 1 step of ddim",
        ),
        (["doctor", "日😄"], b"trains  "),
        (["info", "日😄/a.png"], b"sampler  "),
        (["schedules", "cosine"], b"log-SNR"),
    ]:
        ours, theirs = pty.openpty()
        done = subprocess.Popen(
            [DIFFKIT, *arguments], cwd=tmp_path, env={**os.environ, "TERM": "xterm", **variables}, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        said = b""
        with suppress(OSError):  # how Linux says that the other end is closed
            while part_said := os.read(ours, 4096):
                said += part_said
        os.close(ours)
        assert done.wait() == 0, said
        assert part in said, said
        assert b"Traceback" not in said
        assert b"\\u280" not in said, "a spinner of ASCII"
