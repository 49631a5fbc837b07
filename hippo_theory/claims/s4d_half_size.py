"""S4D: what its laws become where N counts the stored conjugate pairs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import WITHIN
from hippo_theory.claims.s4d_laws import MILLIONTH, S4D, SIZES, law_band
from hippo_theory.families import legs_phase
from hippo_theory.initializations import s4d_inv

__all__: list[str] = []


def _half_size(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The law with N = 32 for a system of 32 pairs, that is of size 64."""
    with balls(128).work() as ring:
        (w,) = legs_phase.frequencies(64, ring, np.array([0]))
        ratio = 32 / arb.pi() * 31 / w
        row = {"case": "64 states, 32 pairs, n = 0, N = 32 in the law", "numbers": f"ratio to LegS {ratio.str(12)}"}
        return [row], bool(ratio < arb("0.25"))


@claim(
    "s4d.inv.size",
    title="N in S4D-Inv is the full state size: with the number of pairs the frequencies are a quarter",
    statement=(
        r"With $M = N/2$ in place of $N$, $\frac{M}{\pi} \left(\frac{M}{2n+1} - 1\right)$ is $\frac14 \left(1 - \frac{2"
        r" (2n+1)}{N} \right) \left(1 + \frac{\mu^2}{6 N^2}\right)$ times the $n$-th largest frequency of LegS of size $N$,"
        r" $\mu = (2n+1) \pi$, up to a relative error of at most $0.01633\,\frac{\mu^4}{N^4}$ at the sizes covered."
    ),
    source=S4D + ", eq. (8): the authors' code against re-implementations that store N modes; derived here",
    domain="n = 0, 1, 2, N = 256, 4096, balls of 200 bits",
    routes=("the formula with its band", "balls of the start of size N/2 over certified roots of the phase equation"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"quarter": Fraction(1, 4) * (1 + MILLIONTH)},
        {"two": 2 * (1 + MILLIONTH)},
        {"band": Fraction(1632, 10**5)},
    ],
    counterexample=Counterexample(r"In S4D-Inv the size $N$ may count the stored conjugate pairs.", _half_size),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv",),
    figure="spectra",
)
class InverseLawSize:
    """The interval around the formula."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and indices."""
        for N in SIZES:
            for n in range(3):
                yield {"N": N, "n": n}

    @staticmethod
    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        two: Fraction = Fraction(2),
        band: Fraction = Fraction(1633, 10**5),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(200).work() as ring:
            N, n = case["N"], case["n"]
            law = ring.number(quarter) * (1 - ring.number(two) * (2 * n + 1) / N)
            return law_band(N, n, law, ring, Fraction(1, 6), band)

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The start of half the size."""
        with balls(200).work() as ring:
            value = s4d_inv(case["N"] // 2, arithmetic=ring).Lambda[case["n"]].imag
            ratio = value / legs_phase.frequencies(case["N"], ring, np.array([case["n"]]))[0]
            return [ratio]
