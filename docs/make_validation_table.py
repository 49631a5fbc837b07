"""Write docs/validation-golden.md: what validation says of arrays that public codebases really produced.

    python docs/make_validation_table.py ../shared/golden

The folder holds one folder for each codebase, with the files and a `manifest.json` that lists them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hippo_theory.report.numbers import short, short_ulps
from hippo_theory.validation import Finding, validate

TABLE = Path(__file__).with_name("validation-golden.md")

HEAD = """# What public codebases produce

Written by `docs/make_validation_table.py`; do not edit. Each line is what `hippo validate` says of files that a codebase
really produced, all sizes N with the same answer together; the errors are the largest of them. `ulp` is the error in units
in the last place of the stored dtype, of the parts that the initialization fixes; `kernel` the relative L2 error of the
kernel. [validation.md](validation.md) explains the verdicts. A dash: nothing is fixed, or no kernel is computed.

{counts}
"""

COLUMNS = ("codebase", "variant", "N", "is", "convention", "verdict", "ulp", "kernel", "deviation")


@dataclass(frozen=True)
class Line:
    """One answer about one variant of one codebase, over its sizes."""

    codebase: str
    variant: str
    sizes: tuple[int, ...]
    identified: str
    convention: str
    verdict: str
    ulps: float | None
    kernel: float | None
    deviation: str

    def cells(self) -> tuple[str, ...]:
        """The cells of the table."""
        sizes = ", ".join(map(str, self.sizes)) or "-"
        names = (self.identified, self.convention, self.verdict)
        return (self.codebase, self.variant, sizes, *names, short_ulps(self.ulps), short(self.kernel), self.deviation)


def lines(golden: Path) -> Iterator[Line | str]:
    """The lines of all codebases below a folder; a string counts a file: `found`, `nothing`, or why it is unreadable."""
    for manifest in sorted(golden.glob("*/manifest.json")):
        groups: dict[tuple[str, ...], list[Finding]] = {}
        for entry in json.loads(manifest.read_text(encoding="utf-8"))["entries"]:
            (file,) = validate(golden / entry["file"]).files
            if file.error is not None:
                yield file.error
                continue
            yield "found" if file.findings else "nothing"
            # Files of the same numbers in two formats are one variant.
            variant = re.sub(r"_[NP]?[0-9]+(?=_|$)", "", Path(entry["file"]).stem)
            for finding in file.findings:
                key = (variant, finding.identified, finding.convention or "-", finding.verdict, finding.deviation or "")
                groups.setdefault(key, []).append(finding)
        for key, findings in sorted(groups.items()):
            yield _line(manifest.parent.name, key, findings)


def _line(codebase: str, key: tuple[str, ...], findings: Iterable[Finding]) -> Line:
    found = list(findings)
    variant, identified, convention, verdict, deviation = key
    sizes = tuple(sorted({finding.N for finding in found if finding.N is not None}))
    ulps = max((finding.ulps for finding in found if finding.ulps is not None), default=None)
    kernel = max((finding.kernel_error.l2 for finding in found if finding.kernel_error), default=None)
    return Line(codebase, variant, sizes, identified, convention, verdict, ulps, kernel, deviation)


def table(golden: Path) -> str:
    """The whole page."""
    answers = list(lines(golden))
    rows = [answer for answer in answers if isinstance(answer, Line)]
    files = [answer for answer in answers if isinstance(answer, str)]
    unread = sum(answer not in ("found", "nothing") for answer in files)
    counts = (
        f"{len(files)} files: {files.count('found')} with initializations, "
        f"{files.count('nothing')} with kernels or other arrays alone, {unread} that could not be read."
    )
    text = [HEAD.format(counts=counts)]
    text += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    text += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(Path(sys.argv[1])), encoding="utf-8")
