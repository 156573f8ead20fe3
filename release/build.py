"""Reproducible builds: the same commit gives the same bytes, wherever and whenever it is built."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from release.packages import Package, git

__all__ = ["build", "build_twice"]


def build(package: Package, out: Path, *, sdist: bool = False) -> Path:
    """The wheel of a package, built from its commit into a folder; from its sdist, which stays there, or without it."""
    epoch = git("log", "-1", "--format=%ct", package.commit, "--", f"packages/{package.name}").strip()
    archive = subprocess.run(["git", "archive", package.commit, f"packages/{package.name}"], capture_output=True, check=True)
    with TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        command = [
            sys.executable,
            "-m",
            "build",
            "--quiet",
            "--no-isolation",
            "--outdir",
            str(out),
            *([] if sdist else ["--wheel"]),
        ]
        where = f"{folder}/packages/{package.name}"
        subprocess.run(
            [*command, where], check=True, capture_output=True, text=True, env=os.environ | {"SOURCE_DATE_EPOCH": epoch}
        )
    return next(out.glob(f"diffkit_{package.name}-{package.version}-*.whl"))


def build_twice(package: Package, out: Path) -> list[Path]:
    """The sdist and the wheel of a package. Raises ValueError where a second build, without the sdist, has other bytes."""
    wheel = build(package, out, sdist=True)
    with TemporaryDirectory() as again:
        former = os.umask(0o077)
        try:
            second = build(package, Path(again))
        finally:
            os.umask(former)
        if wheel.read_bytes() != second.read_bytes():
            raise ValueError(f"{wheel.name}: a second build has other bytes")
    return [wheel, *out.glob(f"diffkit_{package.name}-{package.version}.tar.gz")]
