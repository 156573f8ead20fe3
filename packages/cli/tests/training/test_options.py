"""The options of a training run: their table in the README."""

from pathlib import Path

from diffkit_cli.training.options import FLAGS, OPTIONS
from diffkit_trainer.options import shown

README = Path(__file__).parents[2] / "README.md"


def table_row(name):
    option = OPTIONS[name]
    default = "none" if option.default in (None, ()) else shown(option.default).strip("'")
    words = [word for word in option.choices if word not in option.help]
    text = f"{option.help.rstrip('.:')}: {', '.join(words)}." if words else option.help
    return f"| `{name}` | {default} | {text} |"


def test_readme_lists_every_option_without_a_flag():
    expected = [table_row(name) for name in OPTIONS if name not in (*FLAGS, "data")]
    lines = README.read_text().splitlines()
    start = lines.index("| `--set` | default | |") + 2
    assert lines[start : start + len(expected)] == expected
    assert not lines[start + len(expected)].startswith("|")
