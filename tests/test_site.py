"""The documentation: its commands say what it prints, its equations are read rightly, and the site stands without a network."""

from __future__ import annotations

import doctest
import functools
import http.server
import importlib
import inspect
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from helpers import ROOT

import hippo_theory
from hippo_theory.cli import main
from hippo_theory.errors import MissingDependencyError

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "extensions"))

from docstrings import restructured  # noqa: E402
from mathml import mathml  # noqa: E402
from plain_equations import equation_latex, line_latex, running_text  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


# The commands of the tutorial


def transcript(text: str) -> list[tuple[str, str]]:
    """(command, what it prints) of every console block."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    found: list[tuple[str, str]] = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line.rstrip() + "\n")
    return found


def as_printed(expected: str, printed: str) -> bool:
    lines = "".join(line.rstrip() + "\n" for line in printed.strip().splitlines())
    return doctest.OutputChecker().check_output(expected.strip() + "\n", lines, doctest.ELLIPSIS)


def test_the_commands_of_the_tutorial_print_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commands = transcript((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert len(commands) >= 10
    status = 0
    for command, expected in commands:
        if command == "echo $?":
            printed = f"{status}\n"
        else:
            program, *words = shlex.split(command)
            assert program == "hippo"
            status = main(words)
            printed = capsys.readouterr().out
        assert as_printed(expected, printed), f"{command}\n{printed}"


def test_another_number_in_the_tutorial_would_be_seen():
    assert as_printed("a\n...\n 1.5 exact ...\n", "a\n\n 1.5 exact 2e-17\n")
    assert not as_printed("a\n...\n 1.5 exact ...\n", "a\n\n 1.6 exact 2e-17\n")


# Equations of docstrings


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("K_l = C Abar^l Bbar", r"K_{l} = C \bar{A}^{l} \bar{B}"),
        ("S_rk = sum_n w_rn / (s_k - p_n)", r"S_{rk} = \sum_{n} \frac{w_{rn}}{s_{k} - p_{n}}"),
        ("(2n+1)/4 - 1/(2 N^2)", r"\frac{2 n + 1}{4} - \frac{1}{2 N^{2}}"),
        ("dt/(1 - x) B", r"\frac{\,\mathit{dt}\,}{1 - x} B"),
        ("-B_i conj(B_j) / (l_i + conj(l_j))", r"- \frac{B_{i} \overline{B_{j}}}{l_{i} + \overline{l_{j}}}"),
        ("A* Q + (V* B)_m", r"A^{*} Q + \left(V^{*} B\right)_{m}"),
        ("e^(-2 pi i k l / L)", r"e^{- 2 \pi  i k l / L}"),
        ("sum_{k >= l} f_k^2", r"\sum_{k \ge l} f_{k}^{2}"),
        ("[[a, -w], [w, a]]", r"\begin{bmatrix} a & - w \\ w & a \end{bmatrix}"),
        ("x' = 1e-7 sqrt(2n+1)", r"x^{\prime} = 10^{-7} \sqrt{2 n + 1}"),
        ("0 <= l, where it is", r"0 \le l , \text{ where it is}"),
    ],
)
def test_plain_equations_become_the_latex_one_would_write(plain, latex):
    assert line_latex(plain) == latex


@pytest.mark.parametrize("plain", ["(a + b", "a /", "/ b", "x = a ? b", "[[a, b", "a_ = b"])
def test_what_is_no_equation_is_an_error(plain):
    with pytest.raises(ValueError, match=r"equation|missing|nothing"):
        line_latex(plain)


def test_labels_of_lines_stand_in_a_column():
    assert equation_latex("zoh:    a = b\nsampled:  c = d") == (
        r"\begin{array}{ll} \text{zoh:} & a = b \\ \text{sampled:} & c = d \end{array}"
    )


@pytest.mark.parametrize(
    "text",
    ["A dense (N, N) matrix.", "A_log = log(n)", "error (4 + max_n |x|) eps", "A + P P^T = -I/2 + skew", "S4 and S5"],
)
def test_what_might_be_prose_or_part_of_an_equation_stays_text(text):
    assert [kind for kind, _ in running_text(text)] == ["text"]


def public_objects() -> Iterator[tuple[str, object]]:
    for room in pkgutil.iter_modules(hippo_theory.__path__):
        try:
            module = importlib.import_module(f"hippo_theory.{room.name}")
        except MissingDependencyError:
            continue
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                yield f"{room.name}.{name}", value
            if inspect.isclass(value):
                for entry, member in vars(value).items():
                    if not entry.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                        yield f"{room.name}.{name}.{entry}", member


def test_every_equation_of_the_public_docstrings_is_typeset():
    equations = 0
    for name, value in public_objects():
        try:
            lines = restructured((inspect.getdoc(value) or "").split("\n"))
        except ValueError as error:
            pytest.fail(f"{name}: {error}")
        text = "\n".join(lines)
        inline = re.findall(r":math:`([^`]*)`", text)
        displayed = re.findall(r"\.\. math::\n\n   (.*)", text)
        for latex in [*inline, *displayed]:
            equations += 1
            assert "<math" in mathml(latex), name
    assert equations > 300


def test_a_command_that_mathml_does_not_know_is_an_error():
    with pytest.raises(ValueError, match="not understood"):
        mathml(r"a \notacommand b")


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as a whole; no file of the repository changes by it."""
    if find_spec("sphinx") is None:
        pytest.fail("the site is built with the docs extra: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    before = snapshot()
    done = subprocess.run(
        [sys.executable, str(DOCS / "build.py"), "--out", str(folder)], capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert snapshot() == before, "the build changed a source"
    return folder / "html"


def snapshot() -> dict[str, int]:
    folders = ("docs", "figures", "notebooks")
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return {str(path): path.stat().st_mtime_ns for path in paths if path.is_file() and "__pycache__" not in path.parts}


class Page(HTMLParser):
    """What a page points to: links, and what it loads; the ids in it; pictures without an alternative text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.pictures: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        for key in ("id", "name"):
            if named.get(key):
                self.ids.add(str(named[key]))
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed") and named.get("src"):
            self.loaded.append(str(named["src"]))
        if tag == "link" and named.get("rel") not in ("search", "index", "next", "prev", "canonical"):
            self.loaded.append(str(named.get("href")))
        if tag == "img":
            self.pictures.append(named.get("alt"))


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(site, pages):
    assert len(pages) > 200
    broken, elsewhere = [], []
    for name, page in pages.items():
        for target in page.loaded:
            if target.startswith("data:"):
                continue
            if urlsplit(target).scheme or target.startswith("//"):
                elsewhere.append((name, target))
            elif not (site / urlsplit(urljoin(name, unquote(target))).path).is_file():
                broken.append((name, target))
        for target in page.links:
            parts = urlsplit(urljoin(name, target))
            if parts.scheme or name == "search.html":
                continue
            path = unquote(parts.path) or name
            anchor = unquote(parts.fragment)
            known = pages.get(path)
            found = (site / path).is_file() if known is None else not anchor or anchor in known.ids
            if not found:
                broken.append((name, target))
    for sheet in site.rglob("*.css"):
        for target in re.findall(
            r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", sheet.read_text(encoding="utf-8")
        ):
            if re.match(r"(https?:)?//", "".join(target)):
                elsewhere.append((sheet.name, "".join(target)))
    assert broken == [] and elsewhere == []


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_equations_are_mathml_and_pictures_have_words(site, pages):
    text = (site / "api" / "generated" / "hippo_theory.kernels.s4d_kernel.html").read_text(encoding="utf-8")
    assert text.count("<math") >= 3 and "<mfrac>" in text
    assert "MathJax" not in text
    described = [alt for name in ("theory.html", "gallery/index.html") for alt in pages[name].pictures]
    assert sum(bool(alt) for alt in described) >= len(described) // 2  # the small ones stand beside their titles


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and keeps what it was asked for instead of writing it."""

    asked: ClassVar[list[tuple[str, int]]] = []

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self.asked.append((self.path, int(str(getattr(code, "value", code)))))


@pytest.fixture(scope="module")
def served(site) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def opened(address: str) -> tuple[str, list[str]]:
    """The document after its scripts ran, and what the browser logged; it can reach this machine only."""
    if BROWSER is None:
        pytest.skip("needs a browser")
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--dump-dom"]
    words += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=8000", address]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_every_kind_of_page_opens_without_a_complaint(served, pages):
    kinds = ["index", "tutorial", "porting", "theory", "answers", "validation", "claims", "gallery/index", "notebooks"]
    kinds += ["command-line", "api/index", "api/kernels", "api/generated/hippo_theory.families.LegS", "genindex"]
    kinds += ["benchmarks/index", "claims-report"]
    kinds += [name.removesuffix(".html") for name in sorted(pages) if name.startswith("notebooks/")][:1]
    for kind in kinds:
        document, complaints = opened(f"{served}/{kind}.html")
        assert "</html>" in document and complaints == [], kind
    assert len(Quiet.asked) > len(kinds)
    assert [path for path, status in Quiet.asked if status >= 400 and path != "/favicon.ico"] == []


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_a_complaint_and_a_missing_picture_would_be_seen(served, site):
    page = site / "broken.html"
    page.write_text("<!DOCTYPE html><html><body><img src='nowhere.png'><script>nothing.at_all()</script></body></html>")
    assert opened(f"{served}/broken.html")[1] != []
    assert ("/nowhere.png", 404) in Quiet.asked
    page.unlink()
    Quiet.asked.clear()


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_search_finds_without_a_network(served):
    document, complaints = opened(f"{served}/search.html?q=bilinear")
    assert complaints == []
    results = document.split('id="search-results"', 1)[1]
    assert "theory.html" in results and "hippo_theory.kernels.bilinear_low_rank" in results
    document, _ = opened(f"{served}/search.html?q=nosuchwordatall")
    assert "<li" not in document.split('id="search-results"', 1)[1].split("</article>")[0]
