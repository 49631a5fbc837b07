"""Build the documentation site: python docs/build.py [--out DIR] [--no-claims].

The sources are copied into DIR/.source, where the pages that are made from the package are added; Sphinx reads only that
copy, and what it writes is DIR/html. Warnings are errors. Nothing needs a network, neither the build nor the pages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SOURCE = ".source"  # hidden, so that no test run collects the pages twice
sys.path[:0] = [str(DOCS), str(ROOT)]


def stage(source: Path, *, claims: bool = True) -> None:
    """Write everything that Sphinx reads into the folder `source`, which is made anew."""
    import generated_pages as pages

    if source.exists():
        shutil.rmtree(source)
    (source / "extra").mkdir(parents=True)
    for page in DOCS.glob("*.md"):
        shutil.copy(page, source / page.name)

    tables = source / "tables"
    tables.mkdir()
    (tables / "conventions.md").write_text(pages.conventions_table(), encoding="utf-8")
    (tables / "layouts.md").write_text(pages.layouts_table(), encoding="utf-8")
    (tables / "deviations.md").write_text(pages.deviations_table(), encoding="utf-8")
    (tables / "initializations.md").write_text(pages.initializations_table(), encoding="utf-8")
    (tables / "papers.md").write_text(pages.papers_table(), encoding="utf-8")

    (source / "api").mkdir()
    for name, text in pages.api_pages().items():
        (source / name).write_text(text, encoding="utf-8")
    (source / "command-line.md").write_text(pages.command_line_page(), encoding="utf-8")

    gallery = source / "gallery"
    if (ROOT / "figures" / "manifest.json").exists():
        shutil.copytree(
            ROOT / "figures", gallery, ignore=shutil.ignore_patterns("bench", "converge", "studies", "README.md")
        )
    else:
        draw_gallery(gallery)
        (gallery / "README.md").unlink()
    (gallery / "index.md").write_text(pages.gallery_page(gallery / "manifest.json"), encoding="utf-8")
    shutil.copytree(ROOT / "figures" / "bench", source / "benchmarks")
    (source / "benchmarks" / "README.md").rename(source / "benchmarks" / "index.md")
    shutil.copytree(ROOT / "figures" / "converge", source / "converge")

    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    (source / "notebooks").mkdir()
    for notebook in notebooks:
        shutil.copy(notebook, source / "notebooks" / notebook.name)
    (source / "notebooks.md").write_text(pages.notebooks_page(notebooks), encoding="utf-8")

    if claims:
        write_claims_report(source / "extra" / "claims-report.html")
    written = (DOCS / "claims.md").read_text(encoding="utf-8")
    (source / "claims.md").write_text(pages.claims_page(written, claims), encoding="utf-8")


def draw_gallery(folder: Path) -> None:
    """Draw the figures, where the repository holds no gallery."""
    from hippo_theory.figures import write_figures

    say(f"{ROOT / 'figures' / 'manifest.json'} is not there: drawing the figures (minutes)")
    folder.mkdir()
    write_figures([], folder)


def write_claims_report(file: Path) -> None:
    """Check every claim and write the report."""
    say("checking every claim for the report (about a minute)")
    words = [sys.executable, "-m", "hippo_theory.cli", "verify", "--html", str(file)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"hippo verify ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Build the site, and say where it is."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--out", type=Path, default=DOCS / "_build", help="folder of the build [docs/_build]")
    parser.add_argument("--no-claims", action="store_true", help="leave out the report of the claims")
    options = parser.parse_args()
    out = options.out.resolve()
    stage(out / SOURCE, claims=not options.no_claims)
    say("sphinx")
    html = out / "html"
    if html.exists():
        shutil.rmtree(html)
    words = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(DOCS), "-d", str(out / "doctrees")]
    words += [
        "-D",
        f"html_extra_path={out / SOURCE / 'extra'}",
        "-E",
        "-W",
        "--keep-going",
        "-q",
        "-j",
        "auto",
        str(out / SOURCE),
        str(html),
    ]
    status = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode
    if status == 0:
        say(f"{html / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
