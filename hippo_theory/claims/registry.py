"""Claims: a statement of a paper with its constants, two routes to both of its sides, and what must make the check fail.

A claim is declared once, in the file of its paper:

    @claim(
        "core.legs.unit",
        title="A constant input of one is the fixed point e_0 of LegS",
        statement=r"$-A^{-1} B = e_0$ for every $N$",
        source=DERIVED,
        relation=EQUAL,
        expected="CERTIFIED",
        corruptions=[{"index": 1}, {"factor": 1 + 1e-6}],
        ...
    )
    class LegsUnit:
        def cases(effort): ...            # the values of the variables that are covered
        def claimed(case, *, index=0, factor=1): ...   # the side that the statement gives, with its constants as arguments
        def computed(case): ...           # the other side, by a route that shares nothing but arithmetic with the first

The constants of the statement are keyword arguments of `claimed`; a corruption changes some of them, and must make the
check fail. `verify` runs cases through both routes and the relation between them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hippo_theory.claims.papers import PAPERS
from hippo_theory.claims.relations import Relation
from hippo_theory.errors import InputError

__all__ = ["CLAIMS", "VERDICTS", "Case", "Claim", "Counterexample", "claim", "find_claims", "load_claims"]

Case = Mapping[str, Any]

VERDICTS = ("PROVED", "CERTIFIED", "OBSERVED", "REFINED", "REFUTED", "UNKNOWN")


@dataclass(frozen=True)
class Counterexample:
    """Why the wider reading of a claim is false.

    Attributes
    ----------
    statement : str
        The wider statement, in LaTeX.
    check : callable
        Called with the effort; returns evidence rows and whether the counterexample is certified.
    """

    statement: str
    check: Callable[[str], tuple[list[dict[str, Any]], bool]]


@dataclass(frozen=True)
class Claim:
    """A checkable statement.

    Attributes
    ----------
    id : str
        Permanent, ``paper.name``.
    paper : str
        Key of `PAPERS`.
    title, statement : str
        The statement in LaTeX between dollar signs, with every constant and hypothesis.
    source : str
        Where the paper says it: a number only where it is known for certain, else by content.
    domain : str
        The variables and the values covered, in words.
    routes : (str, str)
        How each side is computed.
    relation : Relation
        What must hold between both sides.
    expected : str
        One of `VERDICTS`.
    why : str
        For OBSERVED: why it is not rigorous. For UNKNOWN: what is missing.
    cases, claimed, computed : callable
    corruptions : tuple of dict
        Constants that must make the check fail.
    counterexample : Counterexample, optional
        For REFINED and REFUTED: the wider statement, and why it is false.
    tags, related : tuple of str
    figure : str, optional
    """

    id: str
    paper: str
    title: str
    statement: str
    source: str
    domain: str
    routes: tuple[str, str]
    relation: Relation
    expected: str
    cases: Callable[[str], Iterable[Case]]
    claimed: Callable[..., Any]
    computed: Callable[[Case], Any]
    corruptions: tuple[Mapping[str, Any], ...]
    why: str = ""
    counterexample: Counterexample | None = None
    tags: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    figure: str | None = None
    code: type = field(default=object, repr=False)

    @property
    def source_code(self) -> str:
        """The text of the check."""
        return inspect.getsource(self.code)


CLAIMS: dict[str, Claim] = {}


def claim(
    id: str,
    *,
    title: str,
    statement: str,
    source: str,
    domain: str,
    routes: tuple[str, str],
    relation: Relation,
    expected: str,
    corruptions: Sequence[Mapping[str, Any]],
    why: str = "",
    counterexample: Counterexample | None = None,
    tags: Sequence[str] = (),
    related: Sequence[str] = (),
    figure: str | None = None,
) -> Callable[[type], type]:
    """Register the decorated class, with static methods cases, claimed and computed, as the check of a claim.

    Raises
    ------
    InputError
        At import: a duplicate id, an unknown paper, no source, no corruption, a corruption of a constant that `claimed` does
        not have, a REFINED or REFUTED claim without counterexample, an OBSERVED or UNKNOWN one without the reason.
    """

    def register(code: type) -> type:
        functions = {
            name: staticmethod(vars(code)[name]) for name in ("cases", "claimed", "computed") if name in vars(code)
        }
        for name, function in functions.items():
            setattr(code, name, function)
        _require(len(functions) == 3, id, "needs cases, claimed and computed")
        _require(id not in CLAIMS, id, "is registered twice")
        paper = id.split(".")[0]
        _require(paper in PAPERS, id, f"belongs to none of the papers {', '.join(PAPERS)}")
        _require(bool(source.strip()), id, "has no source")
        _require(bool(statement.strip()) and bool(domain.strip()), id, "has no statement or domain")
        _require(expected in VERDICTS, id, f"expects {expected!r}, none of {', '.join(VERDICTS)}")
        _require(bool(corruptions), id, "has no corruption that must make it fail")
        constants = {
            name
            for name, parameter in inspect.signature(functions["claimed"].__func__).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }
        for corruption in corruptions:
            _require(
                set(corruption) <= constants, id, f"corrupts {set(corruption) - constants}, no constant of `claimed`"
            )
        untouched = constants - {name for corruption in corruptions for name in corruption}
        _require(not untouched, id, f"has constants that no corruption changes: {', '.join(sorted(untouched))}")
        _require(expected not in ("REFINED", "REFUTED") or counterexample is not None, id, "needs a counterexample")
        _require(expected not in ("OBSERVED", "UNKNOWN") or bool(why), id, "must say why it is not rigorous")
        CLAIMS[id] = Claim(
            id,
            paper,
            title,
            statement,
            source,
            domain,
            routes,
            relation,
            expected,
            functions["cases"].__func__,
            functions["claimed"].__func__,
            functions["computed"].__func__,
            tuple(corruptions),
            why,
            counterexample,
            tuple(tags),
            tuple(related),
            figure,
            code,
        )
        return code

    return register


def _require(condition: bool, id: str, fault: str) -> None:
    if not condition:
        raise InputError(f"claim {id} {fault}")


def load_claims() -> dict[str, Claim]:
    """All claims, by id; the files of this folder are imported at the first call."""
    import hippo_theory.claims as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return CLAIMS


def find_claims(names: Sequence[str] = ()) -> list[Claim]:
    """The claims of some ids, papers or tags; all without names.

    Raises
    ------
    InputError
        If a name is none of these; the message lists near ones.
    """
    claims = load_claims()
    if not names:
        return list(claims.values())
    chosen: dict[str, Claim] = {}
    for name in names:
        found = [c for c in claims.values() if name in (c.id, c.paper, *c.tags) or c.id.startswith(f"{name}.")]
        if not found:
            near = [id for id in claims if name.split(".")[0] in id][:8]
            known = ", ".join(near) if near else "papers " + ", ".join(PAPERS)
            raise InputError(f"no claim, paper or tag {name!r}; there are {known} (`hippo list claims` shows all)")
        chosen.update({c.id: c for c in found})
    return list(chosen.values())
