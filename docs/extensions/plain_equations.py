r"""Equations as docstrings write them, in plain text, turned into LaTeX.

Docstrings are read in terminals, so that their equations are plain: `K_l = sum_n C_n Bbar_n e^(x_n l)`. This is the
grammar they follow, and nothing is guessed: what does not parse raises `ValueError`.

- juxtaposition is a product; `^` and `_` take one letter, number or word, or a group in (), {} whose brackets are dropped
- `a/b` without spaces divides what touches it, ` / ` with spaces the product on its left; in exponents it stays a slash
- `A*` is the conjugate transpose, ` * ` the entrywise product, `Abar` a bar, `Khat` a hat, `x'` a derivative;
  `[[a, b], [c, d]]` is a matrix
- `sum_n`, `sqrt`, `abs`, `norm`, `conj`, `binom`, `integral of`, `inf`, `<=`, `..` and the Greek letters by their names
- other words are words; two or more spaces set pieces of a line apart; a line that begins with more spaces continues one
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["equation_latex", "line_latex", "running_text"]

_WORD = re.compile(r"\w+")
GREEK = set(
    _WORD.findall(
        "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
        " Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
    )
)
FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "min", "max"}
OPERATORS = set(_WORD.findall("trace diag softmax tril eig Rot rank sign length step rate gain shift"))
PREFIXES = {
    "Re": r"\operatorname{Re}",
    "Im": r"\operatorname{Im}",
    "sum": r"\sum",
    "prod": r"\prod",
    "sup": r"\sup",
    "int": r"\int",
}
# Words of two letters; any others are products of two variables (`iw`), as are the indices of a subscript (`A_nk`).
SHORT_WORDS = set(_WORD.findall("is of to in on so at by it if or as an be no we do up us my vs go th"))
RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "->": r"\to", "<-": r"\leftarrow", "!=": r"\ne"}
_HATS = {"Â": "A", "Ê": "E", "Ĥ": "H"}
CLOSING = {"(": ")", "[": "]", "{": "}"}

_TOKEN = re.compile(
    r"(?P<space>\s+)|`(?P<code>[^`]+)`|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<word>[A-Za-z]{3,}(?:-[A-Za-z]{3,})+|[A-Za-z]+|[ÂÊĤ])|(?P<dots>\.\.\.?)"
    r"|(?P<sign>\+-|<=|>=|->|<-|!=|[-+*/^_=<>()\[\]{},;:.|'])"
)


@dataclass
class _Item:
    """A piece of LaTeX: an atom, or what separates products (`barrier`); `tight` if no space stands before it."""

    latex: str
    tight: bool
    barrier: bool = False
    inner: str | None = None  # of a group in parentheses: what is in them
    prefix: bool = False  # a sum and the like, which a division by what follows leaves alone

    @property
    def bare(self) -> str:
        return self.latex if self.inner is None else self.inner


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, position = text, [], 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"no equation in plain text: {text[position:]!r} in {text!r}")
            assert match.lastgroup is not None
            self.tokens.append((match.lastgroup, match[0]))
            position = match.end()
        self.next = 0
        self.bars = 0

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self.next + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.next += 1
        return token

    def skip(self) -> None:
        if self.peek()[0] == "space":
            self.next += 1

    def fail(self, what: str) -> ValueError:
        return ValueError(f"{what} in the equation {self.text!r}")

    def until(self, closing: str, script: bool) -> list[_Item]:
        """Items up to a closing bracket, which is taken too; `script`: in an exponent or an index."""
        items: list[_Item] = []
        tight = True
        while True:
            kind, token = self.peek()
            if kind == "end" or token == closing:
                if token != closing:
                    raise self.fail(f"{closing!r} is missing")
                self.next += 1
                return items
            if kind == "space":
                self.next += 1
                tight = False
                if len(token) > 1 and items and self.peek()[1] not in RELATIONS:
                    items.append(_Item(r"\quad" if len(token) < 4 else r"\qquad", True, barrier=True))
            elif token == "/":
                self.next += 1
                self.divide(items, tight, script)
                tight = True
            else:
                items.append(self.item(tight, script))
                tight = True

    def divide(self, items: list[_Item], tight: bool, script: bool) -> None:
        self.skip()
        if script:
            items.append(_Item("/", tight))
            return
        start = len(items)
        while start and not items[start - 1].barrier and not items[start - 1].prefix:
            start -= 1
            if tight and not items[start].tight:
                break
        if start == len(items):
            raise self.fail("nothing stands before '/'")
        above = items[start:]
        below = [self.item(True, script)]
        # The product after a sum, and a number with its letter, belong below as well.
        while below[0].prefix or (below[-1].latex.isdigit() and self.peek()[0] == "word"):
            if below[0].prefix:
                self.skip()
            kind, token = self.peek()
            if kind == "end" or token in (*RELATIONS, *",;:+-/)]}"):
                break
            below.append(self.item(True, script))
        numerator = above[0].bare if len(above) == 1 else _joined(above)
        denominator = below[0].bare if len(below) == 1 else _joined(below)
        items[start:] = [_Item(rf"\frac{{{numerator}}}{{{denominator}}}", above[0].tight)]

    def item(self, tight: bool, script: bool) -> _Item:
        kind, token = self.take()
        if kind == "number":
            digits, _, exponent = token.partition("e")
            power = rf"10^{{{int(exponent)}}}" if exponent else ""
            number = power if power and digits == "1" else digits + (rf" \times {power}" if power else "")
            return self.scripts(_Item(number, tight))
        if kind == "code":
            return _Item(rf"\text{{ {token.strip('`')} }}", tight, barrier=True)
        if kind == "dots":
            return _Item(r"\ldots", tight, barrier=True)
        if kind == "word":
            return self.word(token, tight, script)
        if token in RELATIONS:
            return _Item(RELATIONS[token], tight, barrier=True)
        if token in ",;:.":
            return _Item(token + (r"\;" if token in ":;" else ""), tight, barrier=True)
        if token == "+-":
            return _Item(r"\pm", tight, barrier=True)
        if token in "+-":
            return _Item(token, tight, barrier=True)
        if token == "*":
            return _Item(r"\circ", tight)
        if token == "|" and not self.bars:
            self.bars += 1
            inner = _joined(self.until("|", script))
            self.bars -= 1
            return self.scripts(_Item(rf"\left| {inner} \right|", tight))
        if token == "[" and self.peek()[1] == "[":
            return self.scripts(_Item(self.matrix(), tight))
        if token in CLOSING:
            items = self.until(CLOSING[token], script)
            if token == "{":
                return self.scripts(_Item(f"{{{_joined(items)}}}", tight))
            inner = _joined(items)
            # A condition, as in `0 (n < k)`, stands apart.
            condition = not tight and any(item.latex in RELATIONS.values() for item in items)
            before, after = (r"\left(", r"\right)") if token == "(" else (r"\left[", r"\right]")
            group = _Item(before + inner + after, tight, inner=inner if token == "(" else None)
            group = self.scripts(group)
            if condition and group.inner is not None:
                group.latex, group.barrier = r"\;\;" + group.latex, True
            return group
        raise self.fail(f"{token!r} has no meaning")

    def matrix(self) -> str:
        rows = []
        while self.peek()[1] == "[":
            self.next += 1
            cells: list[list[_Item]] = [[]]
            for item in self.until("]", False):
                if item.latex == ",":
                    cells.append([])
                else:
                    cells[-1].append(item)
            rows.append(" & ".join(_joined(cell) for cell in cells))
            self.skip()
            if self.peek()[1] == ",":
                self.next += 1
                self.skip()
        if self.take()[1] != "]":
            raise self.fail("']' of a matrix is missing")
        return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"

    def word(self, token: str, tight: bool, script: bool) -> _Item:
        if token in PREFIXES:
            return self.scripts(_Item(PREFIXES[token], tight, prefix=True))
        if token in FUNCTIONS:
            return self.scripts(_Item(rf"\{token} ", tight, prefix=True))
        if token == "integral":
            self.next += 2 if [self.peek()[0], self.peek(1)[1]] == ["space", "of"] else 0
            return self.scripts(_Item(r"\int", tight, prefix=True))
        if token == "inf":
            return _Item(r"\infty", tight)
        if token == "sqrt" and self.peek()[0] == "space":
            self.next += 1
            return _Item(rf"\sqrt{{{self.take()[1]}}}", tight)
        if self.peek()[1] == "(" and token in ("sqrt", "conj", "abs", "norm", "binom"):
            return self.called(token, tight, script)
        name = _variable(token)
        if name is not None:
            if len(token) == 1 and self.peek()[0] == "number":  # A0
                name += f"_{{{self.take()[1]}}}"
            return self.scripts(_Item(name, tight))
        if token in OPERATORS:
            return self.scripts(_Item(rf"\operatorname{{{token}}}", tight))
        words = [token]
        while self.peek()[1] == " " and self.peek(1)[0] == "word":
            article = self.peek(1)[1] == "a" and self.peek(2)[1] == " " and _prose(self.peek(3)[1])
            if not article and not _prose(self.peek(1)[1]):
                break
            words.append(self.peek(1)[1])
            self.next += 2
        text = " ".join(words)
        if self.peek()[1] == ":":
            self.next += 1
            text += ":"
        return _Item(rf"\text{{ {text} }}", tight, barrier=True)

    def called(self, token: str, tight: bool, script: bool) -> _Item:
        self.next += 1
        items = self.until(")", script)
        if token == "binom":
            comma = next((i for i, item in enumerate(items) if item.latex == ","), None)
            if comma is None:
                raise self.fail("binom takes two arguments")
            return self.scripts(_Item(rf"\binom{{{_joined(items[:comma])}}}{{{_joined(items[comma + 1 :])}}}", tight))
        inner = _joined(items)
        forms = {
            "sqrt": rf"\sqrt{{{inner}}}",
            "conj": rf"\overline{{{inner}}}",
            "abs": rf"\left| {inner} \right|",
            "norm": rf"\left\| {inner} \right\|",
        }
        return self.scripts(_Item(forms[token], tight))

    def scripts(self, item: _Item) -> _Item:
        """Indices, exponents, stars and primes that touch the item."""
        below: list[str] = []
        above: list[str] = []
        while True:
            kind, token = self.peek()
            if token == "_":
                self.next += 1
                below.append(self.script())
            elif token == "^" and self.peek(1)[1] == "_":  # h^_m
                self.next += 1
                item.latex = rf"\hat{{{item.latex}}}"
            elif token == "^":
                self.next += 1
                above.append(self.script())
            elif token == "'":
                self.next += 1
                above.append(r"\prime")
            elif token == "*" and kind == "sign":
                self.next += 1
                above.append("*")
            else:
                break
        if below or above:
            item.latex += ("_{" + r"\,".join(below) + "}" if below else "") + (
                "^{" + " ".join(above) + "}" if above else ""
            )
            item.inner = None
        return item

    def script(self) -> str:
        sign = ""
        if self.peek()[1] in ("-", "+", "*"):
            sign = self.take()[1]
            if sign == "*" or self.peek()[0] in ("space", "end", "close") or self.peek()[1] in (",", ")"):
                return sign  # a conjugate transpose or a pseudo-inverse
        kind, token = self.take()
        if kind == "number":
            return sign + token
        if kind == "word":
            if token == "T" or len(token) == 1 or (_variable(token) is None and len(token) == 2):
                return sign + token
            name = _variable(token)
            return sign + (name if name is not None else rf"\mathrm{{{token}}}")
        if token in ("(", "{"):
            return sign + _joined(self.until(CLOSING[token], True))
        raise self.fail(f"{token!r} is no index or exponent")


def _variable(word: str) -> str | None:
    """The LaTeX of a name; None for a word of English."""
    if word in GREEK:
        return rf"\{word} "
    for ending, command in (("bar", "bar"), ("hat", "hat")):
        if word.endswith(ending) and len(word) == len(ending) + 1 and (word[0].isupper() or word[0] in "xyu"):
            return rf"\{command}{{{word[0]}}}"
    if word in _HATS:
        return rf"\hat{{{_HATS[word]}}}"
    if word[0] == "d" and word[1:] in GREEK:
        return rf"d\{word[1:]} "
    if word == "dt":
        return r"\,\mathit{dt}\,"
    if len(word) == 1 or (len(word) == 2 and word not in SHORT_WORDS):
        return word
    return None


def _prose(word: str) -> bool:
    """Whether a token is a word of English."""
    known = {*PREFIXES, *FUNCTIONS, *OPERATORS, "integral", "inf", "sqrt", "conj", "abs", "norm", "binom"}
    return word[:1].isalpha() and _variable(word) is None and word not in known


def _joined(items: list[_Item]) -> str:
    """The LaTeX of items in a row; words keep no space where a bracket or a stop stands."""
    pieces = [item.latex for item in items]
    for i, piece in enumerate(pieces):
        if piece.startswith(r"\text{ "):
            inner = piece[len(r"\text{ ") : -2]
            first, last = i == 0, i + 1 == len(pieces) or pieces[i + 1][0] in ",.;"
            pieces[i] = r"\text{" + ("" if first else " ") + inner + ("" if last else " ") + "}"
    return " ".join(pieces)


def line_latex(line: str, inline: bool = False) -> str:
    r"""One line of plain text as LaTeX; `inline`: with slashes for fractions, as is usual in running text.

    >>> line_latex("A_nk = -R_n R_k (n > k)")
    'A_{nk} = - R_{n} R_{k} \\;\\;\\left(n > k\\right)'
    >>> line_latex("x' = diag(A) x + B u / (1 - z)")
    'x^{\\prime} = \\operatorname{diag} \\left(A\\right) x + \\frac{B u}{1 - z}'
    """
    parser = _Parser(line.strip() + "\n")
    parser.tokens[-1] = ("close", "\n") if parser.tokens[-1][0] == "space" else parser.tokens[-1]
    return _joined(parser.until("\n", inline))


def equation_latex(block: str) -> str:
    """A block of lines, its indentation removed, as LaTeX: one line as it is, several below each other."""
    lines = [line for line in block.split("\n") if line.strip()]
    made = []
    for line in lines:
        label = re.match(r"([A-Za-z]{3,}(?: [A-Za-z]+)*):\s+(.*)$", line)
        indented = line.startswith(" ")
        if label:
            made.append((rf"\text{{{label[1]}:}}", line_latex(label[2])))
        else:
            made.append(("", (r"\quad " if indented else "") + line_latex(line)))
    if len(made) == 1:
        return rf"{made[0][0]} \quad {made[0][1]}" if made[0][0] else made[0][1]
    if any(label for label, _ in made):
        rows = [f"{label} & {content}" for label, content in made]
        return r"\begin{array}{ll} " + r" \\ ".join(rows) + r" \end{array}"
    return r"\begin{array}{l} " + r" \\ ".join(content for _, content in made) + r" \end{array}"


# A word of running text that may belong to an equation, and what makes one of a row of such words.
_PIECE = re.compile(r"[A-Za-z0-9_^*'/|(){}\[\]=<>+\-.,!]+[;:]?$")
_STRONG = re.compile(
    r"[\^=]|[A-Za-z)]_[({]?[A-Za-z0-9]|<=|>=|(?<=\S) [<>] |\w\*(?![\w*])|\w\*\w|\b(sqrt|abs|conj|sum_)\(?"
)
_QUANTITIES = {"eps", "step", "skew", "Rot", "rank", "times", "length", "damping", "largest", "smallest", "horizon"}
_KNOWN = {*PREFIXES, *FUNCTIONS, "sqrt", "conj", "abs", "norm", "binom", "inf", "diag", "trace", "tril"} - {
    "sup",
    "min",
    "max",
}


def running_text(text: str) -> list[tuple[str, str]]:
    """Split running text into (kind, text), kind ``text`` or ``math``, where equations stand in it.

    What is not certainly an equation stays text: every word of it must be a variable or a known name, it must hold a sign
    that prose has not, and it must parse.

    >>> running_text("Solve x' = A x + B u with N = 4, and a step.")
    [('text', 'Solve '), ('math', "x' = A x + B u"), ('text', ' with '), ('math', 'N = 4'), ('text', ', and a step.')]
    """
    pieces = re.split(r"(\s+)", text)
    made: list[tuple[str, str]] = []
    i = 0
    while i < len(pieces):
        end = i
        while (i < 2 or _apart(pieces[i - 2])) and end < len(pieces) and _mathematical(pieces[end]):
            stop = pieces[end].endswith((".", ";", ":"))
            end += 2
            if stop:
                break
        whole = end >= len(pieces) or _apart(pieces[end]) or pieces[end - 2].endswith((",", ".", ";", ":"))
        found = _equation("".join(pieces[i : end - 1]), whole) if end > i else None
        if found is None:
            made.append(("text", pieces[i] + (pieces[i + 1] if i + 1 < len(pieces) else "")))
            i += 2
            continue
        before, equation, after = found
        made += [
            ("text", before),
            ("math", equation),
            ("text", after + (pieces[end - 1] if end <= len(pieces) - 1 else "")),
        ]
        i = end
    merged: list[tuple[str, str]] = []
    for kind, part in made:
        if kind == "text" and merged and merged[-1][0] == "text":
            merged[-1] = ("text", merged[-1][1] + part)
        elif part:
            merged.append((kind, part))
    return merged


def _mathematical(piece: str) -> bool:
    if not _PIECE.match(piece) or piece == "a":
        return False
    for word in re.findall(r"_?[A-Za-z]+(?:-[A-Za-z]+)*", piece):
        bare = word.lstrip("_")
        if bare in _KNOWN:
            if word.startswith("_") and bare not in GREEK:  # A_log is a name
                return False
            continue
        if _variable(bare) is None or (len(bare) == 2 and not word.startswith("_") and bare != "dt" and bare.isupper()):
            return False
    return True


def _apart(piece: str) -> bool:
    """Whether a word of running text cannot belong to an equation beside it."""
    if piece.endswith((",", ".", ";", ":")) or not piece:
        return True
    word = piece.strip("()")
    return re.fullmatch(r"[A-Za-z][A-Za-z-]+|a|\d*-?[a-z-]{4,}", word) is not None and word not in _QUANTITIES


def _clauses(text: str) -> list[str]:
    """The parts of an equation between commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _equation(run: str, whole: bool) -> tuple[str, str, str] | None:
    """(text before, equation, text after) of the longest beginning of a row of words that is one, or None.

    `whole`: whether the end of the row can be the end of an equation.
    """
    words = run.split(" ")
    for count in range(len(words), 0, -1):
        if (count < len(words) or not whole) and not words[count - 1].endswith((",", ".", ";", ":")):
            continue  # part of an equation
        text = " ".join(words[:count])
        core = text.rstrip(".,;:")
        if core.count("(") < core.count(")") and core.endswith(")"):
            core = core[:-1].rstrip(".,;:")
        before = ""
        if core.startswith("(") and core.count("(") > core.count(")"):
            before, core = "(", core[1:]
        if not _STRONG.search(core) or re.search(r"(^|\s)[-+=*/<>]+$|^[=+*/<>]|^- ", core) or not core.strip():
            continue
        clauses = _clauses(core)
        if not (_STRONG.search(clauses[0]) and _STRONG.search(clauses[-1])):
            continue
        if any(core.count(one) != core.count(other) for one, other in ("()", "[]", "{}")):
            continue
        try:
            latex = line_latex(core)
        except ValueError:
            continue
        if r"\text" not in latex:
            return before, core, run[len(before) + len(core) :]
    return None
