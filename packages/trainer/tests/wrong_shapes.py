"""For packages/cli/tests, which take the fixture `invalid` next."""

from packages.conftest import (  # the conftest.py that pytest has loaded
    TEXTS,
)
from packages.conftest import (
    Outcomes as _Outcomes,
)
from packages.conftest import (
    invalid_fields as mutations,
)
from packages.conftest import (
    limited_memory as little_memory,
)
from packages.conftest import (
    special_files as no_files,
)

__all__ = ["TEXTS", "Outcomes", "little_memory", "mutations", "no_files"]


class Outcomes(_Outcomes):
    def of(self, *arguments):
        self.add(*arguments)

    @property
    def taken(self):
        return self.accepted
