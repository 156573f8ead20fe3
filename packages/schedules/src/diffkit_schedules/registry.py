"""Registries: built-in objects and the plugins of other installed distributions, by name."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ContextDecorator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PartError", "Registry"]


class PartError(ImportError):
    """A part that another distribution registers and that cannot be imported; the message names the distribution."""


_F = TypeVar("_F", bound=Callable[..., Any])


class Registry(Mapping[str, Any]):
    """A read-only mapping from a name to an object that is imported when it is first asked for.

    group: the entry-point group in which other distributions register theirs, such as "diffkit.schedules". builtin: our own
    names, each with the "module:attribute" where its object is. Iterating, `len` and `in` import none of the objects.
    Raises ValueError for a name that is not registered, and for one that two distributions register; PartError where another
    distribution's object cannot be imported. Each names the distributions.

    >>> registry = Registry("diffkit.numbers", {"pi": "math:pi", "tau": "math:tau"})
    >>> list(registry), round(registry["pi"], 2)
    (['pi', 'tau'], 3.14)
    """

    def __init__(self, group: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self.kind = group.rpartition(".")[2].removesuffix("s")
        self._builtin = dict(builtin)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The object of this name."""
        if isinstance(name, str) and name in self._loaded:  # first, so that compilers can trace it
            return self._loaded[name]
        entry = self._entry(name)
        try:
            self._loaded[name] = entry.load()
        except Exception as error:
            if name in self._builtin:
                raise
            owner, reason = " ".join(self.origin(name)), f"{type(error).__name__}: {error}"
            raise PartError(f"{self.kind} {name!r} of {owner} cannot be imported from {entry.value!r}: {reason}") from error
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._builtin
        yield from sorted(self._entries.keys() - self._builtin.keys())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._builtin or name in self._entries)

    def get(self, name: str, default: Any = None) -> Any:
        """The object of this name, or the default where no distribution registers it."""
        return super().get(name) if name in self else default

    def add(self, value: str) -> None:
        """Register the object of "module:attribute" under that name, in this process alone.

        >>> registry = Registry("diffkit.numbers", {})
        >>> registry.add("math:pi")
        >>> list(registry), round(registry["math:pi"], 2)
        (['math:pi'], 3.14)
        """
        from importlib.metadata import EntryPoint

        self._entries[value] = [EntryPoint(value, value, self.group)]

    def load_builtin(self) -> None:
        """Import our own objects now, those without a conflict: code that a compiler traces cannot import.

        >>> Registry("diffkit.numbers", {"pi": "math:pi"}).load_builtin()
        """
        for name in self._builtin:
            if len(self._entries[name]) == 1:
                self[name]

    def origin(self, name: str) -> tuple[str, str]:
        """The distribution that registers this name, and its version. Raises ValueError as `registry[name]` does.

        >>> Registry("diffkit.schedules", {"cosine": "diffkit_schedules.continuous:cosine"}).origin("cosine")[0]
        'diffkit-schedules'
        """
        return _distribution(self._entry(name))

    def name_of(self, part: Any) -> str | None:
        """The name under which this object is registered, or None; imports only entries whose attribute has the object's name.

        >>> import math
        >>> Registry("diffkit.numbers", {"root": "math:sqrt"}).name_of(math.sqrt)
        'root'
        """
        attribute = getattr(part, "__qualname__", None)
        names = (name for name, entries in self._entries.items() if any(entry.attr == attribute for entry in entries))
        return next((name for name in names if self[name] is part), None)

    def naming(self, name: str) -> "_Noting":
        """A context, or a decorator, in which an error of a plugin gets a note that names its distribution.

        >>> with Registry("diffkit.numbers", {"pi": "math:pi"}).naming("pi"):
        ...     pass  # pi is ours: an error in here would pass as it is
        """
        theirs = name not in self._builtin
        return _Noting(f"raised by {self.kind} {name!r} of {' '.join(self.origin(name))}" if theirs else None)

    def _entry(self, name: str) -> "EntryPoint":
        if name not in self:
            raise ValueError(f"{self.kind} must be one of {', '.join(self)}; got {name!r:.60}{_hint(name, self)}")
        entries = self._entries[name]
        if len(entries) > 1:
            owners = " and ".join(" ".join(_distribution(entry)) for entry in entries)
            raise ValueError(f"{self.kind} {name!r} is registered by {owners}: uninstall all of these but one")
        return entries[0]

    @cached_property
    def _entries(self) -> "dict[str, list[EntryPoint]]":
        """Every entry point by its name: ours first, more than one where distributions disagree."""
        from importlib.metadata import EntryPoint, entry_points  # here: a package that makes a registry is imported sooner

        found = {name: [EntryPoint(name, value, self.group)] for name, value in self._builtin.items()}
        for entry in entry_points(group=self.group):
            found.setdefault(entry.name, []).append(entry)
        return found


class _Noting(ContextDecorator):
    """Adds a note to every exception that leaves the context."""

    def __init__(self, note: str | None) -> None:
        self.note = note

    def __call__(self, function: _F) -> _F:
        return function if self.note is None else super().__call__(function)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self.note is not None and isinstance(error, Exception) and self.note not in getattr(error, "__notes__", ()):
            error.add_note(self.note)


def _distribution(entry: "EntryPoint") -> tuple[str, str]:
    """The name and the version of an entry point's distribution; ours have the name of the package that is imported."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        owner = entry.dist or distribution(entry.module.partition(".")[0])
    except PackageNotFoundError:
        return entry.module.partition(".")[0], "(not installed)"
    return owner.name, owner.version


def _hint(name: object, names: Mapping[str, Any]) -> str:
    import difflib

    nearest = difflib.get_close_matches(str(name), names, n=1)
    return f", did you mean {nearest[0]!r}?" if nearest else ""
