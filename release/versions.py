"""The version that a change calls for, and the sibling versions that a package is tested with."""

from collections.abc import Callable, Iterable

from packaging.version import Version

from release.packages import Package, read_package, tags

__all__ = ["called_for", "highest", "lowest", "siblings_of"]


def called_for(last: Version, *, breaking: bool, additions: bool) -> Version:
    """The lowest version after `last` for a change. Below 1.0 the second number is that of breaking changes.

    >>> [str(called_for(Version("0.1.3"), breaking=breaking, additions=True)) for breaking in (True, False)]
    ['0.2.0', '0.1.4']
    """
    major, minor, patch = last.release
    if breaking:
        return Version(f"{major + 1}.0.0" if major else f"0.{minor + 1}.0")
    return Version(f"{major}.{minor + 1}.0" if major and additions else f"{major}.{minor}.{patch + 1}")


def siblings_of(package: Package, choose: Callable[[Iterable[Package]], Package]) -> dict[str, Package]:
    """The siblings that a package depends on, and theirs, each in the version that is chosen from those which all of them allow.

    These are the releases, and the state of HEAD. Raises ValueError where none is allowed.
    """
    chosen: dict[str, Package] = {}
    ranges = dict(package.siblings)
    while missing := ranges.keys() - chosen.keys():
        name = min(missing, key=lambda name: name == "schedules")  # last: others limit its range
        states = (read_package(name, commit) for commit in (*tags(name).values(), "HEAD"))
        allowed = [state for state in states if state.version in ranges[name]]
        if not allowed:
            raise ValueError(f"no release of {name} is in {ranges[name]}, nor is HEAD: raise the range")
        chosen[name] = choose(allowed)
        for sibling, versions in chosen[name].siblings.items():
            ranges[sibling] = ranges.get(sibling, versions) & versions
    return chosen


def lowest(states: Iterable[Package]) -> Package:
    """The lowest version; a release rather than HEAD."""
    return min(states, key=lambda state: (state.version, state.commit == "HEAD"))


def highest(states: Iterable[Package]) -> Package:
    """The highest version; HEAD rather than a release."""
    return max(states, key=lambda state: (state.version, state.commit == "HEAD"))
