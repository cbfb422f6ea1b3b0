"""The built site: examples are code, every name is found, pages open in a browser without an error."""

import functools
import http.server
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from browser import PROGRAM, Browser

for package in ("mkdocs", "material", "mkdocstrings"):
    pytest.importorskip(package, reason="make docs installs it")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
NAMES = runpy.run_path(str(ROOT / "docs" / "public_names.py"))
PAGES = [
    "",
    "concepts/",
    "how-to/",
    "how-to/conditions/",
    "how-to/results/",
    "plots/",
    "gallery/",
    "how-it-works/",
    "performance/",
    "when-training-fails/",
    "examples/",
    "architecture/",
    "api/",
    "api/expressions/",
    "api/domains/",
    "api/solver/",
]
BROKEN_IMAGES = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
ELSEWHERE = "performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin))"
"""What a page loads from other servers."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built strictly: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


class Elements(HTMLParser):
    """Where things stand on a page: its anchors, links and images, and texts with the elements around them."""

    def __init__(self, text):
        super().__init__()
        self.around, self.anchors, self.links, self.images, self.texts = [], set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes.get("src"))
        if tag not in ("br", "hr", "img", "input", "link", "meta", "source", "wbr"):
            self.around.append(tag)

    def handle_endtag(self, tag):
        if tag in self.around:
            while self.around.pop() != tag:
                pass

    def handle_data(self, data):
        self.texts.append((tuple(self.around), data))


@functools.cache
def elements(path):
    return Elements(path.read_text(encoding="utf-8"))


def test_examples_are_code(site):
    pages = sorted(site.glob("api/**/index.html"))
    examples = [
        (page.parent.name, around, text)
        for page in pages
        for around, text in elements(page).texts
        if ">>>" in text or "blockquote" in around
    ]
    assert len(pages) == len(list(NAMES["PAGES"].glob("*.md")))
    assert [example for example in examples if "pre" not in example[1] or "blockquote" in example[1]] == []
    assert len(examples) > 700


def test_formulas_are_shown(site):
    heat = (site / "api" / "losses" / "index.html").read_text(encoding="utf-8")
    assert heat.count("<math ") > 60
    raw = [
        (page.parent.name, text)
        for page in sorted(site.rglob("index.html"))
        for around, text in elements(page).texts
        if ":math:" in text or ("pre" not in around and "script" not in around and "\\(" in text)
    ]
    assert raw == []


def test_every_documented_object_has_its_heading(site):
    anchors = {anchor for page in site.glob("api/**/index.html") for anchor in elements(page).anchors}
    assert [path for path in NAMES["documented"]() if path not in anchors] == []


def test_every_link_leads_to_a_page_and_a_place_on_it(site):
    broken = []
    for page in sorted(site.rglob("index.html")):
        address = f"http://site/{page.parent.relative_to(site).as_posix()}/".replace("/./", "/")
        for link in elements(page).links:
            target = urlsplit(urljoin(address, link))
            if target.netloc != "site":
                continue
            file = site / unquote(target.path).lstrip("/")
            file = file / "index.html" if file.is_dir() else file
            anchors = elements(file).anchors if file.suffix == ".html" and file.is_file() else {target.fragment}
            if not file.is_file() or (target.fragment and unquote(target.fragment) not in anchors):
                broken.append((page.parent.name, link))
    assert broken == []


def test_the_search_finds_every_public_name(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    words = functools.partial(re.split, index["config"]["separator"])
    titles = [{*words(re.sub("<.*?>", " ", entry["title"]).lower())} for entry in index["docs"]]
    texts = " ".join(entry["text"] for entry in index["docs"] if entry["location"].startswith("api/"))
    assert index["config"]["pipeline"] == []  # no word is left out
    missing = [
        name
        for name in NAMES["public"]()
        if f">{name}</code>" not in texts and not any({*words(name.lower())} <= title for title in titles)
    ]
    assert missing == []


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("no Chromium")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "home")
def test_pages_open_without_an_error(window, address, page):
    window.open(address + page)
    assert window.evaluate("document.querySelector('article').innerText.length") > 200
    assert window.evaluate(BROKEN_IMAGES) == []
    assert window.evaluate(ELSEWHERE) == []
    assert window.errors == []


def test_a_missing_picture_and_an_exception_are_noticed(window, address):
    window.open(address)
    window.evaluate("document.querySelector('article img').src = 'missing.png'; setTimeout(() => nothing(), 0); 0")
    window.wait(f"{BROKEN_IMAGES}.length > 0")
    assert any("missing.png" in str(error) for error in window.errors)
    assert any("nothing is not defined" in str(error) for error in window.errors)


@pytest.mark.parametrize(
    ("query", "anchor"),
    [("jno.np.where", "jno.np.where"), ("fn.sin", "jno.np.sin"), ("early_stopping", "jno.callbacks.early_stopping")],
)
def test_the_search_of_the_site_finds_a_name(window, address, query, anchor):
    window.open(f"{address}?q={query}")
    window.wait(f"[...document.querySelectorAll('.md-search-result a')].some(a => a.hash.startsWith('#{anchor}'))")
    assert window.errors == []
