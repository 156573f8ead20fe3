"""Prepares the release of one package and says what is wrong with it.

    python -m release samplers           before its tag
    python -m release samplers-v0.2.0    for its tag, which must name its version

dist/release gets the wheel and the sdist; dist/siblings the constraints lowest.txt and highest.txt, with the wheels they name.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from release import changelog
from release.build import build, build_twice
from release.packages import Package, git, packages, read_package, tags
from release.public_api import changes_since
from release.versions import called_for, highest, lowest, siblings_of

FILES, SIBLINGS = Path("dist/release").absolute(), Path("dist/siblings").absolute()


def main(given: str) -> None:
    """Raises ValueError for a package that cannot be released as it is."""
    name, _, version = given.partition("-v")
    if name not in packages():
        raise ValueError(f"expected one of {', '.join(packages())}, or its tag such as samplers-v0.2.0, got {given!r}")
    if git("status", "--porcelain", f"packages/{name}"):
        raise ValueError(f"packages/{name} has changes that are not committed: commit or remove them")
    package = read_package(name, "HEAD")
    if version and version != str(package.version):
        raise ValueError(f"tag {given} and version {package.version} differ: give the tag {name}-v{package.version}")
    date = changelog.date_of(Path(f"packages/{name}/CHANGELOG.md").read_text("utf-8"), package.version)
    print(f"{name} {package.version} of {date}")
    require_version(package)
    for folder in (FILES, SIBLINGS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    files = build_twice(package, FILES)
    print("built twice, the same bytes:", *(file.name for file in files))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    for choose in (lowest, highest):
        write_constraints(package, files[0], siblings_of(package, choose), SIBLINGS / f"{choose.__name__}.txt")
    for other in packages():
        allowed = read_package(other, "HEAD").siblings.get(name)
        if allowed is not None and package.version not in allowed:
            print(f"{other} allows {name}{allowed} only: raise the range in its next release")


def require_version(package: Package) -> None:
    """Print what changed since the last release. Raises ValueError where the version is lower than that calls for."""
    tag = f"{package.name}-v{package.version}"
    if package.version in tags(package.name) and git("rev-parse", f"{tag}^{{commit}}") != git("rev-parse", "HEAD"):
        raise ValueError(f"{tag} is a release already: raise the version")
    released = [(version, tag) for version, tag in tags(package.name).items() if version < package.version]
    if not released:
        print("the first release")
        return
    last, tag = released[-1]
    changes = changes_since(package.name, tag)
    expected = called_for(last, breaking=bool(changes.breaking), additions=bool(changes.additions))
    for title, lines in (("breaking", changes.breaking), ("new", changes.additions)):
        for line in lines:
            print(f"  {title}: {line}")
    print(f"since {tag} the change calls for {expected}")
    if package.version < expected:
        raise ValueError(f"{package.name} {package.version}: the change since {tag} calls for {expected}")


def write_constraints(package: Package, wheel: Path, siblings: dict[str, Package], path: Path) -> None:
    """Write constraints with the wheel of the package and of each sibling, which is built, and the version of torch."""
    trees = {name: git("rev-parse", f"{state.commit}:packages/{name}").strip() for name, state in siblings.items()}
    wheels = {name: build(state, SIBLINGS / trees[name]) for name, state in siblings.items()}  # one path for one content
    print(
        f"{path.stem} siblings:", ", ".join(f"{each.name} {each.version} ({each.commit})" for each in siblings.values()) or "none"
    )
    lines = [f"diffkit-{name} @ {file.as_uri()}\n" for name, file in {package.name: wheel, **wheels}.items()]
    path.write_text("".join(lines) + Path("constraints.txt").read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"release: {error}\n{error.stderr or ''}")
    except (TypeError, ValueError) as error:
        sys.exit(f"release: {error}")
