"""diffkit ui: what is refused before the page is served."""

import sys

import pytest

from ..helpers import one_line


def test_without_the_extra_one_line_says_what_to_install(diffkit, monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    code, out, said = diffkit("ui")
    assert (code, out) == (2, "")
    assert "pip install 'diffkit-cli[ui]'" in one_line(said)


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(diffkit, port):
    code, _, said = diffkit("ui", f"--port={port}")
    assert code == 2
    assert "--port must be an integer from 1 to 65535" in one_line(said)
