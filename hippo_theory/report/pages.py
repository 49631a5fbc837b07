"""The validation report: one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hippo_theory import __version__
from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.report.advice import MEANINGS, advice
from hippo_theory.report.grouping import Group, grouped
from hippo_theory.report.numbers import short, short_ulps
from hippo_theory.tensor_files import shown
from hippo_theory.validation import LAYOUTS, VERDICTS, FileResult, Validation
from hippo_theory.validation.comparing import Pair
from hippo_theory.validation.stored_systems import Tensors, parameters_of, spectrum_of, tensors_of

__all__ = ["validation_page"]

_TEMPLATE = Path(__file__).with_name("validation_page.html")
_PLOTS = 60  # more of them are no longer looked at, and the page takes seconds to open
_TENSORS = 12  # names listed for each group of layers

Source = str | os.PathLike[str] | Mapping[str, Any]


def validation_page(
    validation: Validation,
    sources: Sequence[Source] = (),
    *,
    answer: str | None = None,
    comparison: Sequence[tuple[str, Sequence[Pair]]] = (),
    reference: str = "",
) -> str:
    """The report of a validation as one self-contained HTML page.

    Parameters
    ----------
    validation : Validation
    sources : sequence of path or mapping of str to array
        What was validated, one for each file of `validation`: the spectra of the plots are read from there. Without it
        there are no plots.
    answer : str, optional
        A sentence for the head of the page: whether what was expected has been found.
    comparison : sequence of (str, sequence of Pair), optional
        The path of a file, and how its findings compare with those of `reference`.
    reference : str
        Path of the file compared with.

    Returns
    -------
    str
        HTML in UTF-8. Whatever comes from a file, names of tensors and paths included, is escaped.

    Raises
    ------
    InputError
        If there are sources, but not as many as files.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> arrays = {"<script>alert(1)</script>.Lambda": ht.initialization("s4d-lin", 8).Lambda}
    >>> page = validation_page(validate(arrays), [arrays])
    >>> "s4d-lin" in page, "<svg" in page, "<script" in page
    (True, True, False)
    """
    if sources and len(sources) != len(validation.files):
        raise InputError(f"`sources` must hold one for each of the {len(validation.files)} files, got {len(sources)}")
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = short
    environment.filters["ulps"] = short_ulps
    environment.filters["code"] = _code
    environment.filters["shown"] = lambda text: shown(text, 4000)
    plots = iter(range(_PLOTS))
    # The template marks the plots as safe: no text in them comes from a file.
    files = [_section(file, sources[i] if sources else None, plots) for i, file in enumerate(validation.files)]
    counts = Counter(finding.verdict for file in validation.files for finding in file.findings)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        version=__version__,
        verdict=validation.verdict,
        counts=[(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]],
        findings=sum(counts.values()),
        unread=sum(file.error is not None for file in validation.files),
        meanings=MEANINGS,
        files=files,
        answer=answer,
        comparison=comparison,
        reference=reference,
        left_out=bool(sources) and next(plots, None) is None,
        plots=_PLOTS,
    )


def _section(file: FileResult, source: Source | None, plots: Iterator[int]) -> dict[str, Any]:
    """What the template shows of one file."""
    groups = grouped(file.findings)
    tensors = _opened(source) if source is not None and groups else None
    return {
        "path": file.path,
        "error": file.error,
        "verdict": file.verdict,
        "advice": list(advice(file.findings)),
        "groups": [_block(group, tensors, plots) for group in groups],
    }


def _block(group: Group, tensors: Tensors | None, plots: Iterator[int]) -> dict[str, Any]:
    names = [name for finding in group.findings for name in finding.tensors]
    return {
        "group": group,
        "finding": group.worst,
        "codebases": next((layout.codebases for layout in LAYOUTS if layout.name == group.worst.layout), None),
        "plot": None if tensors is None else _plot(group, tensors, plots),
        "tensors": names[:_TENSORS],
        "more": max(0, len(names) - _TENSORS),
    }


def _opened(source: Source) -> Tensors | None:
    try:
        return tensors_of(source)
    except (InputError, MissingDependencyError):
        return None  # gone or damaged since it was judged


def _plot(group: Group, tensors: Tensors, plots: Iterator[int]) -> str | None:
    from hippo_theory.report.plots import spectrum_plot

    try:
        parameters = parameters_of(group.worst, tensors)
        spectrum = None if parameters is None else spectrum_of(group.worst, parameters)
    except (InputError, MissingDependencyError):
        return None
    if spectrum is None or next(plots, None) is None:
        return None
    return spectrum_plot(group.worst, spectrum)


def _code(escaped: str) -> str:
    """What stands in backticks as code; the text must be escaped already."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escaped))
