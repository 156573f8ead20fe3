"""The built site: all public names, links that lead somewhere, and nothing that a reader's browser fetches from elsewhere."""

from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.assemble import OUT, PACKAGES, path_of

SITE = OUT.with_name("site")
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The anchors, links and fetched files of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.fetched.append(given["href"])
        if FETCHED.get(tag) in given:
            self.fetched.append(given[FETCHED[tag]])


@pytest.fixture(scope="module")
def pages():
    assert (SITE / "index.html").exists(), "the site is not built: nox -s docs"
    return {path: Page(path) for path in SITE.rglob("*.html") if path.name != "404.html"}


def test_the_reference_has_every_public_name(pages):
    for package in PACKAGES:
        module = f"diffkit_{package}"
        names = {path_of(module, name) for name in import_module(module).__all__}
        assert names - pages[SITE / "reference" / package / "index.html"].anchors == set()


def test_every_link_leads_to_a_page_and_a_heading_of_it(pages):
    broken = set()
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (parts.fragment and target in pages and parts.fragment not in pages[target].anchors):
                broken.add(f"{path.relative_to(SITE)}: {link}")
    assert broken == set()


def test_nothing_is_fetched_from_other_hosts(pages):
    elsewhere = {url for page in pages.values() for url in page.fetched if urlsplit(url).netloc}
    styles = {path.name for path in SITE.rglob("*.css") if "url(http" in path.read_text("utf-8")}
    assert elsewhere | styles == set()
