"""The page of a verification, as text and in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from hippo_theory.claims import verify
from hippo_theory.cli import main
from hippo_theory.report.verification import verification_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page():
    return verification_page(verify(["core.legs", "core.diag.interp"], processes=1))


def test_the_page_holds_every_claim_and_needs_nothing_else(page):
    assert 'id="core.legs.unit"' in page and 'id="core.diag.interp"' in page
    assert "class LegsUnit" in page and "<math" in page
    assert not re.search(r"(src|href)=\"(?!#)", page.replace('href="#', "")), "something is loaded from elsewhere"
    assert "http" not in re.sub(
        r"http://www.w3.org/1998/Math/MathML", "", page.split("<script>")[0].split("</style>")[1]
    )


def test_it_is_written_only_when_asked(tmp_path, capsys):
    file = tmp_path / "claims.html"
    assert main(["verify", "core.legs.unit"]) == 0
    assert not file.exists()
    assert main(["verify", "core.legs.unit", "--html", str(file)]) == 0
    assert file.read_text().startswith("<!DOCTYPE html>")
    assert main(["verify", "core.legs.unit", "--html", str(tmp_path / "claims.txt")]) == 2


def opened(page, folder, script=""):
    """The document after its scripts ran, and what the browser logged."""
    if BROWSER is None:
        pytest.skip("needs a browser")
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--dump-dom"]
    done = subprocess.run(
        [*words, "--virtual-time-budget=2000", f"file://{file}"], capture_output=True, text=True, timeout=60
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_it_opens_without_errors(page, tmp_path):
    document, complaints = opened(page, tmp_path)
    assert complaints == []
    count = page.count("<article id=")
    assert f"{count} shown" in document


def test_the_filter_filters(page, tmp_path):
    script = (
        'const box = document.querySelector("#filter input[value=CERTIFIED]"); box.checked = false;'
        'box.dispatchEvent(new Event("change"));'
    )
    document, complaints = opened(page, tmp_path, script)
    left = sum('data-verdict="CERTIFIED"' not in article for article in re.findall(r"<article id=[^>]*>", page))
    assert complaints == [] and f"{left} shown" in document
    assert len(re.findall(r'<article [^>]*data-verdict="CERTIFIED" hidden=""', document)) == page.count(
        'data-verdict="CERTIFIED"'
    )
    # The contents follow: as many entries hidden as claims.
    assert len(re.findall(r'<li data-of="[^"]*" hidden=""', document)) == page.count('data-verdict="CERTIFIED"')


def test_a_link_to_a_hidden_claim_shows_it(page, tmp_path):
    script = (
        'const box = document.querySelector("#filter input[value=CERTIFIED]"); box.checked = false;'
        'box.dispatchEvent(new Event("change")); location.hash = "#core.legs.unit";'
        'dispatchEvent(new HashChangeEvent("hashchange"));'
    )
    document, _ = opened(page, tmp_path, script)
    assert not re.search(r'<article id="core.legs.unit"[^>]*hidden', document)
