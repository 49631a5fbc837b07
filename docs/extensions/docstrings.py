r"""A Sphinx extension that makes reStructuredText of the plain text of docstrings, before numpydoc reads them.

Docstrings are written to be read in a terminal. Here their indented equations become mathematics (`plain_equations`), code
among them becomes code, and in running text the characters that reStructuredText would take for markup (A*, |z|) are kept.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

from plain_equations import equation_latex, line_latex, running_text

__all__ = ["restructured", "setup"]

_NAMES = {"Parameters", "Other Parameters", "Returns", "Yields", "Attributes", "Raises"}
_SECTIONS = {*_NAMES, "Warns", "See Also", "Notes", "References", "Examples"}
_CODE = re.compile(r'"|\s# |^\s*(@|>>>|from |import |def )', re.MULTILINE)


def restructured(lines: list[str]) -> list[str]:
    r"""The lines of a docstring as reStructuredText.

    Raises
    ------
    ValueError
        An indented block that is neither code nor an equation.

    >>> print("\n".join(restructured(["Solve A* x = b or |x|:", "", "    x = (A*)^-1 b"])))
    Solve :math:`A^{*} x = b` or \|x\|:
    <BLANKLINE>
    .. math::
    <BLANKLINE>
       x = \left(A^{*}\right)^{-1} b
    <BLANKLINE>
    """
    made: list[str] = []
    section, i = "", 0
    while i < len(lines):
        line = lines[i]
        if i + 1 < len(lines) and line.strip() and re.fullmatch(r"-{3,}", lines[i + 1].strip()):
            section = line.strip()
            made += [line, lines[i + 1]] if section in _SECTIONS else ["", f".. rubric:: {section}", ""]
            i += 2
        elif line.lstrip().startswith("==="):  # a table
            while i < len(lines) and lines[i].strip():
                made.append(lines[i])
                i += 1
        elif section == "Examples":
            made.append(line)
            i += 1
        elif line.startswith("    ") and section not in _NAMES and (i == 0 or not lines[i - 1].strip()):
            block = [line]
            while i + len(block) < len(lines) and (
                lines[i + len(block)].startswith("    ") or not lines[i + len(block)].strip()
            ):
                block.append(lines[i + len(block)])
            i += len(block)
            text = textwrap.dedent("\n".join(block)).strip("\n").rstrip()
            if _CODE.search(text):
                made += [".. code-block:: python", "", *textwrap.indent(text, "   ").split("\n"), ""]
            else:
                made += [".. math::", "", "   " + equation_latex(text), ""]
        else:
            named = section in _NAMES and not line.startswith(" ")
            i += 1
            if not named and line.strip():  # the lines of a paragraph in one, for equations go on from line to line
                while i < len(lines) and _continues(line, lines[i]) and not _is_heading(lines, i):
                    line += " " + lines[i].strip()
                    i += 1
            made.append(line if named else _marked(line))
    return made


def _continues(line: str, following: str) -> bool:
    indentation = len(line) - len(line.lstrip())
    words = following.strip()
    same = len(following) - len(following.lstrip()) == indentation
    return bool(words) and same and not re.match(r"([-*+]|\d+\.|\.\.|>>>) ", words)


def _is_heading(lines: list[str], i: int) -> bool:
    return i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1].strip()) is not None


def _marked(line: str) -> str:
    """A paragraph with its equations as mathematics; only what stands in backticks is markup already."""
    indentation = line[: len(line) - len(line.lstrip())]
    parts = re.split(r"(:[a-z:]+:`[^`]*`|``.+?``|`[^`]*`)", line.lstrip())
    return indentation + "".join(part if index % 2 else _prose(part) for index, part in enumerate(parts))


def _prose(text: str) -> str:
    made = ""
    for kind, part in running_text(text):
        if kind == "text":
            glued = made.endswith("`") and part[:1].isalnum()
            made += ("\\ " if glued else "") + _plain(part)
        else:
            made += ("\\ " if made[-1:].isalnum() else "") + f":math:`{line_latex(part, inline=True).strip()}`"
    return made


def _plain(text: str) -> str:
    """Running text in which no character is markup."""
    return re.sub(r"(?<=\w)_(?!\w)", r"\_", re.sub(r"([*|])", r"\\\1", text.replace("\\", r"\\")))


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    from sphinx.util import logging

    try:
        lines[:] = restructured(lines)
    except ValueError as error:
        logging.getLogger(__name__).warning("docstring of %s: %s", name, error)


def setup(app: Any) -> dict[str, Any]:
    """Look at every docstring before numpydoc does (whose listener has the priority 500)."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
