"""The changelogs: a line for each change that users see, a date for each release.

python -m release.changelog origin/main    which packages changed since that branch without a line
"""

import re
import sys

from packaging.version import Version

from release.packages import git, packages

__all__ = ["date_of", "without_a_line"]

EXCUSE = "Changelog: none"


def date_of(text: str, version: Version) -> str:
    r"""The date of the newest section of a changelog.

    Raises ValueError unless it is the section of this version, with a date and a line.

    >>> date_of("# Changelog\n\n## 0.2.0 (2026-05-01)\n\n- Faster.\n", Version("0.2.0"))
    '2026-05-01'
    """
    found = re.search(r"^(## (\S+) \((.+)\))\n\n(- )?", text, re.MULTILINE)
    expected = f"expected the changelog's newest section to be '## {version} (YYYY-MM-DD)'"
    if not found or found[2] != str(version) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", found[3]):
        raise ValueError(f"{expected}, found {found[1]!r}" if found else expected)
    if not found[4]:
        raise ValueError(f"{expected} with a line '- ...' on what users see")
    return found[3]


def without_a_line(branch: str) -> list[str]:
    """The packages whose sources changed since this branch while no line of their changelog did.

    None where the message of a commit since then has the line "Changelog: none", for a change that users do not see.
    """
    changed = git("diff", "--name-only", f"{branch}...HEAD").split()
    if EXCUSE in git("log", "--format=%B", f"{branch}..HEAD").splitlines():
        return []
    return [
        name
        for name in packages()
        if any(path.startswith(f"packages/{name}/src/") for path in changed) and f"packages/{name}/CHANGELOG.md" not in changed
    ]


if __name__ == "__main__":
    if names := without_a_line(*sys.argv[1:]):
        sys.exit(f"no line in CHANGELOG.md of {', '.join(names)}: add one, or {EXCUSE!r} as a line of a commit's message")
