"""A Sphinx extension that writes equations as MathML, so that pages need no script and no network for them."""

from __future__ import annotations

import re
from html import escape
from typing import Any

__all__ = ["mathml", "setup"]


def mathml(latex: str, display: bool = False) -> str:
    r"""LaTeX as MathML.

    Raises
    ------
    ValueError
        If a command is not understood: it would be printed as it stands.

    >>> "<mfrac>" in mathml(r"\frac{1}{2}")
    True
    >>> mathml(r"\begin{aligned} a &= b \\ &= c \end{aligned}").count("<mtr>")
    2
    >>> mathml(r"\nosuchcommand")
    Traceback (most recent call last):
    ValueError: \nosuchcommand is not understood in \nosuchcommand
    """
    from latex2mathml.converter import convert

    text = latex.strip()
    # The converter aligns lines in `split` alone, where it writes no numbers.
    text = re.sub(r"\\(begin|end)\{equation\*?\}", "", text)
    text = re.sub(r"\\(begin|end)\{(aligned|align|gathered|gather|eqnarray)\*?\}", r"\\\1{split}", text)
    if display and re.search(r"(?<!\\)(\\\\|&)", re.sub(r"\\begin\{.*\\end\{[^}]*\}", "", text, flags=re.DOTALL)):
        text = rf"\begin{{split}} {text} \end{{split}}"
    made = str(convert(text, display="block" if display else "inline"))
    unknown = re.search(r"<m[iot][^>]*>(\\[A-Za-z]+|&|&amp;|\\\\)</m", made)
    if unknown:
        raise ValueError(f"{unknown[1]} is not understood in {latex}")
    # Browsers follow MathML Core, which aligns the cells of a table by style sheets only.
    made = re.sub(r'<mtd columnalign="(\w+)"', r'<mtd class="to-\1"', made)
    return made.replace("<math ", f'<math alttext="{escape(text, quote=True)}" ', 1)


def _inline(self: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    self.body.append(f'<span class="math">{_converted(node)}</span>')
    raise SkipNode


def _block(self: Any, node: Any) -> None:
    from docutils.nodes import SkipNode
    from sphinx.util.math import get_node_equation_number

    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(_converted(node, display=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise SkipNode


def _converted(node: Any, display: bool = False) -> str:
    from sphinx.util import logging

    try:
        return mathml(node.astext(), display)
    except Exception as error:  # a warning, and so an error of the build, with the place of the equation
        logging.getLogger(__name__).warning("no equation: %s", error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def setup(app: Any) -> dict[str, Any]:
    """Register the way of writing equations under the name ``mathml``."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
