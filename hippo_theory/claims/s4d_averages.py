"""Averages over the tasks of the Long Range Arena, recomputed exactly from the numbers of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL

__all__: list[str] = []

_DSS = {
    "DSS-softmax": ("60.6", "84.8", "87.8", "85.7", "84.6", "87.8"),
    "DSS-exp": ("59.7", "84.6", "87.6", "84.9", "84.7", "85.6"),
    "DSS, first version": ("57.60", "76.60", "87.60", "85.80", "84.10", "85.00"),
}
_S4D = {
    "S4D-LegS": ("60.47", "86.18", "89.46", "88.19", "93.06", "91.95"),
    "S4D-Inv": ("60.18", "87.34", "91.09", "87.83", "93.78", "92.80"),
    "S4D-Lin": ("60.52", "86.97", "90.96", "87.93", "93.96", ""),
}


@claim(
    "dss.lra.average",
    title="The averages of DSS over the Long Range Arena",
    statement=(
        r"The means of the six accuracies, rounded to two decimals, are $81.88$ (softmax), $81.18$ (exp) and $79.45$ (the"
        r" accuracies of an early version)."
    ),
    source="DSS (arXiv:2203.14343): the table as in the authors' repository and in notes on the paper",
    domain="the three rows, exact decimals",
    routes=("the averages as printed", "decimal sum of the accuracies over 6, rounded half up"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"softmax": "81.89"}, {"exponential": "81.19"}, {"early": "79.46"}],
    tags=("dss", "table", "exact"),
)
class DssAverages:
    """Decimals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The rows."""
        for row in _DSS:
            yield {"row": row}

    @staticmethod
    def claimed(case: Case, *, softmax: str = "81.88", exponential: str = "81.18", early: str = "79.45") -> Any:
        """As printed."""
        return Decimal(dict(zip(_DSS, (softmax, exponential, early), strict=True))[case["row"]])

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean."""
        total = sum((Decimal(value) for value in _DSS[case["row"]]), Decimal(0))
        return (total / 6).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _five_tasks(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The mean of the five tasks on which S4D-Lin learned."""
    mean = sum((Fraction(value) for value in _S4D["S4D-Lin"][:5]), Fraction(0)) / 5
    zero = mean * 5 / 6
    row = {
        "case": "S4D-Lin without the failed task, and with 0 for it",
        "numbers": f"mean of five {float(mean):.3f}, of six with 0 {float(zero):.3f}; printed 78.39",
    }
    printed = Fraction("78.39")
    return [row], abs(mean - printed) > Fraction(1, 100) and abs(zero - printed) > Fraction(1, 100)


@claim(
    "s4d.tab5.lra.average",
    title="The averages of S4D over the Long Range Arena count a failed task as 50",
    statement=(
        r"The means of the six accuracies, rounded to two decimals, are $84.89$ (S4D-LegS; $84.885$ exactly, rounded up),"
        r" $85.50$ (S4D-Inv) and $78.39$ (S4D-Lin, where the failed Path-X counts as chance, $50$)."
    ),
    source="S4D (arXiv:2206.11893), table of the Long Range Arena, as in notes on the paper",
    domain="the three rows, exact decimals",
    routes=(
        "the averages as printed, times 6, as the interval of all sums that round to them",
        "the sum of the accuracies",
    ),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"legs": "84.88"}, {"inv": "85.51"}, {"lin": "78.40"}, {"chance": 0}],
    counterexample=Counterexample(
        r"The average $78.39$ of S4D-Lin is the mean over the tasks that it learned.", _five_tasks
    ),
    tags=("s4d", "table", "exact"),
)
class S4dAverages:
    """Exact rationals: whether the sum lies in [6 (a - 1/200), 6 (a + 1/200))."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The rows."""
        for row in _S4D:
            yield {"row": row}

    @staticmethod
    def claimed(case: Case, *, legs: str = "84.89", inv: str = "85.50", lin: str = "78.39", chance: int = 50) -> Any:
        """The printed average in hundredths, and what a failed task counts."""
        printed = dict(zip(_S4D, (legs, inv, lin), strict=True))[case["row"]]
        known = sum((Fraction(value) for value in _S4D[case["row"]] if value), Fraction(0))
        failed = sum(1 for value in _S4D[case["row"]] if not value)
        low = 6 * (Fraction(printed) - Fraction(1, 200))
        return [Fraction(printed), low <= known + failed * chance < low + Fraction(6, 100)]

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean with 50 for a failed task, rounded half up."""
        values = [Decimal(value or "50") for value in _S4D[case["row"]]]
        mean = (sum(values, Decimal(0)) / 6).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return [Fraction(mean), True]


# The rows of tables that print an average: paper, what was trained, accuracies of the six tasks. An empty accuracy is a
# task on which the model stayed at chance.
_SCORES = {
    "s4": {
        "S4, first version": ("58.35", "76.02", "87.09", "87.26", "86.05", "88.10"),
        "S4, rerun": ("59.60", "86.82", "90.90", "88.65", "94.20", "96.35"),
    },
    "httyh": {
        "S4-LegS": ("59.60", "86.82", "90.90", "88.65", "94.20", "96.35"),
        "S4-FouT": ("57.88", "86.34", "89.66", "89.07", "94.46", ""),
        "S4-LegS/FouT": ("60.45", "86.78", "90.30", "89.00", "94.44", ""),
    },
    "hope": {"HOPE": ("62.60", "89.83", "91.80", "88.68", "95.73", "98.45")},
    "fb": {"S4D, tuned": ("62.75", "89.76", "92.45", "90.89", "95.89", "97.84")},
}


def _cases(paper: str) -> Iterator[Case]:
    for row in _SCORES[paper]:
        yield {"paper": paper, "row": row}


def _mean(case: Case) -> Any:
    """The mean of the accuracies, 50 for a failed task, rounded half up; for computed sides only."""
    scores = _SCORES[case["paper"]][case["row"]]
    return (sum((Decimal(score or "50") for score in scores), Decimal(0)) / 6).quantize(Decimal("0.01"), ROUND_HALF_UP)


@claim(
    "s4.lra.v1.average",
    title="The averages of S4 over the Long Range Arena",
    statement="The means of the six accuracies, rounded to two decimals, are $80.48$ (first version) and $86.09$ (rerun).",
    source="S4 (arXiv:2111.00396), table of the Long Range Arena in both versions, as in notes on the paper",
    domain="both rows, exact decimals",
    routes=("the averages as printed", "decimal sum of the accuracies over 6, rounded half up"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"first": "80.49"}, {"rerun": "86.08"}],
    tags=("s4", "table", "exact"),
)
class S4Averages:
    """Decimals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The rows."""
        yield from _cases("s4")

    @staticmethod
    def claimed(case: Case, *, first: str = "80.48", rerun: str = "86.09") -> Any:
        """As printed."""
        return Decimal(first if case["row"] == "S4, first version" else rerun)

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean."""
        return _mean(case)


@claim(
    "httyh.lra.average",
    title="The averages of S4-LegS and S4-FouT over the Long Range Arena count a failed task as 50",
    statement=(
        r"The means of the six accuracies, rounded to two decimals, are $86.09$ (S4-LegS), $77.90$ (S4-FouT) and $78.50$ (both"
        r" mixed), where the failed Path-X counts as chance, $50$."
    ),
    source="HTTYH (arXiv:2206.12037), table of the Long Range Arena, as usually quoted",
    domain="the three rows, exact decimals",
    routes=("the averages as printed", "decimal sum of the accuracies over 6, rounded half up"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"legs": "86.08"}, {"fout": "77.91"}, {"mixed": "78.49"}],
    tags=("httyh", "table", "exact"),
    related=("s4d.tab5.lra.average",),
)
class HttyhAverages:
    """Decimals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The rows."""
        yield from _cases("httyh")

    @staticmethod
    def claimed(case: Case, *, legs: str = "86.09", fout: str = "77.90", mixed: str = "78.50") -> Any:
        """As printed."""
        return Decimal({"S4-LegS": legs, "S4-FouT": fout}.get(case["row"], mixed))

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean."""
        return _mean(case)


@claim(
    "hope.lra.average",
    title="The average of HOPE over the Long Range Arena",
    statement="The mean of the six accuracies, rounded to two decimals, is $87.85$.",
    source="HOPE (arXiv:2405.13975), table of the Long Range Arena, as in notes on the paper",
    domain="the row, exact decimals",
    routes=("the average as printed", "decimal sum of the accuracies over 6, rounded half up"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"average": "87.84"}],
    tags=("hope", "table", "exact"),
)
class HopeAverage:
    """Decimals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The row."""
        yield from _cases("hope")

    @staticmethod
    def claimed(case: Case, *, average: str = "87.85") -> Any:
        """As printed."""
        return Decimal(average)

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean."""
        return _mean(case)


@claim(
    "fb.lra.average",
    title="The average of S4D with tuned frequency bias over the Long Range Arena",
    statement="The mean of the six accuracies, rounded to two decimals, is $88.26$.",
    source="Tuning frequency bias (arXiv:2410.02035), table of the Long Range Arena, as in notes on the paper",
    domain="the row, exact decimals",
    routes=("the average as printed", "decimal sum of the accuracies over 6, rounded half up"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"average": "88.27"}],
    tags=("fb", "table", "exact"),
    related=("fb.dfout.average",),
)
class TunedAverage:
    """Decimals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The row."""
        yield from _cases("fb")

    @staticmethod
    def claimed(case: Case, *, average: str = "88.26") -> Any:
        """As printed."""
        return Decimal(average)

    @staticmethod
    def computed(case: Case) -> Any:
        """The mean."""
        return _mean(case)
