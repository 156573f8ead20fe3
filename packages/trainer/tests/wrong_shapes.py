"""For packages/cli/tests, which take the fixture `invalid` next."""

from packages.conftest import (  # the conftest.py that pytest has loaded
    TEXTS,
    Outcomes as _Outcomes,
    invalid_fields as mutations,
    limited_memory as little_memory,
    special_files as no_files,
)

__all__ = ["TEXTS", "Outcomes", "little_memory", "mutations", "no_files"]


class Outcomes(_Outcomes):
    def of(self, *arguments):
        self.add(*arguments)

    @property
    def taken(self):
        return self.accepted
