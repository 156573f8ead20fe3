"""Makes a process on Linux like one on Windows, as far as it can be: without what Windows lacks, refusing what it refuses.

Windows has no fcntl and few signals. It opens no folder, syncs only files that are open for writing, opens descriptors as text,
renames nothing to a name that is taken, and neither renames nor removes what is open or mapped.
"""

import errno
import fcntl
import os
import shutil
import signal
import sys
from functools import wraps
from pathlib import Path
from types import SimpleNamespace

ABSENT = (
    "O_CLOEXEC",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "fork",
    "geteuid",
    "getuid",
    "mkfifo",
    "pread",
    "pwrite",
    "setsid",
)
BINARY = 1 << 40
READ_ONLY = 0o3
as_text: set[int] = set()
flock, get_flags, status_flags = fcntl.flock, fcntl.fcntl, fcntl.F_GETFL
system_open, system_fdopen, system_fsync = os.open, os.fdopen, os.fsync


def open_without_folders(path, flags, mode=0o777, **more):
    """os.open, which refuses folders, and notes descriptors that translate line ends."""
    if Path(path).is_dir():
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    descriptor = system_open(path, flags & ~BINARY, mode, **more)
    (as_text.discard if flags & BINARY else as_text.add)(descriptor)
    return descriptor


def fdopen_as_opened(descriptor, mode="r", *arguments, **more):
    """os.fdopen, which refuses to read bytes from a descriptor that translates line ends."""
    if "b" in mode and descriptor in as_text:
        raise OSError(errno.EINVAL, "this descriptor was opened without O_BINARY")
    return system_fdopen(descriptor, mode, *arguments, **more)


def fsync_of_writable(descriptor):
    """os.fsync, which refuses what is open for reading alone."""
    if get_flags(descriptor, status_flags) & READ_ONLY == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    system_fsync(descriptor)


def unless_in_use(function, *, replaces):
    """A function of os that renames or removes: it refuses what this process has open or mapped, and names that are taken."""

    @wraps(function)
    def refusing(path, *others, **more):
        if not replaces and others and os.path.lexists(others[0]):
            raise FileExistsError(errno.EEXIST, "File exists", str(others[0]))
        opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        mapped = [line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line]
        for name in map(os.path.abspath, (path, *others)):
            if any(each == name or each.startswith(f"{name}/") for each in (*opened, *mapped)):
                raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
        function(path, *others, **more)

    return refusing


def lock_byte(descriptor, _mode, _count):
    """msvcrt.locking: of a byte that is behind the content."""
    if os.lseek(descriptor, 0, os.SEEK_CUR) <= os.fstat(descriptor).st_size:
        raise AssertionError("no other process could read the content")
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


def become_like_windows() -> None:
    """From here on this process has what Windows has, and imports diffkit anew; torch is imported already."""
    for module in [name for name in sys.modules if name.startswith("diffkit_")]:
        del sys.modules[module]
    absent = dict.fromkeys(("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"))
    vars(sys)["modules"].update(absent, msvcrt=SimpleNamespace(locking=lock_byte, LK_NBLCK=2))
    for holder, names in ((os, ABSENT), (signal, ("SIGHUP", "SIGKILL", "SIGUSR1"))):
        for name in names:
            delattr(holder, name)
    vars(shutil)["_use_fd_functions"] = False  # rmtree opens folders otherwise
    vars(os).update(O_BINARY=BINARY, open=open_without_folders, fdopen=fdopen_as_opened, fsync=fsync_of_writable)
    os.rename = unless_in_use(os.rename, replaces=False)
    for name in ("replace", "unlink", "remove", "rmdir"):
        setattr(os, name, unless_in_use(getattr(os, name), replaces=True))
