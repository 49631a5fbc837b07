"""What must hold between the two sides of a claim, and with what margin it does.

Both sides of a case are a value or a flat sequence of values of the same length. A relation decides every pair, and says
how clearly: the margin is above 1 where the relation holds with room, below 1 where it fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic import balls

__all__ = ["AT_LEAST", "AT_MOST", "EQUAL", "IDENTICAL", "WITHIN", "Judgement", "Relation", "near"]


_BITS = 512  # comparing loses no digits that the sides may have


@dataclass(frozen=True)
class Judgement:
    """Whether a relation holds for one case.

    Attributes
    ----------
    holds : bool or None
        None: not decided (balls too wide).
    margin : float
        How clearly: for equalities the tolerance over the width or the difference, for inequalities 1 + the gap over the
        larger side.
    worst : str
        The worst pair, as text.
    """

    holds: bool | None
    margin: float
    worst: str


@dataclass(frozen=True)
class Relation:
    """How the sides compare.

    Attributes
    ----------
    name : str
        ``identical`` (exact values), ``equal`` (balls that overlap and are narrow), ``at most``, ``at least`` (what is
        computed is at most, or at least, what is claimed; balls), ``within`` (the ball of what is computed lies in the
        bracket that is claimed), ``near`` (floats within a stated tolerance).
    rigorous : bool
        Whether it proves what it says.
    tolerance : float
        For ``equal`` the largest relative radius of a ball; for ``near`` the largest relative difference.
    absolute : float
        Added to both tolerances.
    """

    name: str
    rigorous: bool
    tolerance: float = 0.0
    absolute: float = 0.0

    def judge(self, claimed: Any, computed: Any) -> Judgement:
        """The worst pair of a case."""
        left, right = _flat(claimed), _flat(computed)
        if len(left) != len(right):
            return Judgement(False, 0.0, f"{len(left)} values claimed, {len(right)} computed")
        with balls(_BITS).work():
            judged = [self._judge_pair(a, b) for a, b in zip(left, right, strict=True)]
        if not judged:
            return Judgement(None, 0.0, "nothing to compare")
        order = {False: 0, None: 1, True: 2}
        worst = min(judged, key=lambda one: (order[one.holds], one.margin))
        return (
            worst if len(judged) == 1 else replace(worst, worst=f"{worst.worst} (the closest of {len(judged)} pairs)")
        )

    def _judge_pair(self, a: Any, b: Any) -> Judgement:
        text = f"claimed {_shown(a)}, computed {_shown(b)}"
        if self.name == "identical":
            same = bool(a == b)
            return Judgement(same, float("inf") if same else 0.0, text)
        if self.name == "near":
            gap, allowed = abs(a - b), self.tolerance * max(abs(a), abs(b)) + self.absolute
            return Judgement(bool(gap <= allowed), _ratio(float(allowed), float(gap)), text)
        x, y = _ball(a), _ball(b)
        if self.name == "equal":
            width = float(_radius(x) + _radius(y))
            allowed = self.tolerance * float(max(abs(x).upper(), abs(y).upper())) + self.absolute
            if not x.overlaps(y):
                return Judgement(False, 0.0, text)
            return Judgement(True if width <= allowed else None, _ratio(allowed, width), text)
        if self.name == "within":
            if x.contains(y):
                room = x.rad() - abs(y - x.mid())
                return Judgement(True, 1 + max(float(room.lower()), 0.0) / float(x.rad()), text)
            return Judgement(None if x.overlaps(y) else False, 0.0, text)
        lesser, greater = (y, x) if self.name == "at most" else (x, y)
        gap = greater - lesser
        if gap >= 0:
            size = max(float(abs(greater).upper()), float(abs(lesser).upper()))
            return Judgement(True, 1 + float(gap.lower()) / size if size else 1.0, text)
        return Judgement(False if gap < 0 else None, 0.0, text)


IDENTICAL = Relation("identical", True)
EQUAL = Relation("equal", True, 1e-15, 1e-15)
AT_MOST = Relation("at most", True)
AT_LEAST = Relation("at least", True)
WITHIN = Relation("within", True)


def near(tolerance: float, absolute: float = 0.0) -> Relation:
    """Floats that agree within a relative tolerance, plus an absolute one: not rigorous."""
    return Relation("near", False, tolerance, absolute)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item for part in value for item in _flat(part)]
    return [value]


def _ball(value: Any) -> Any:
    if isinstance(value, (arb, acb)):
        return value
    return acb(value) if isinstance(value, complex) else arb(value)


def _radius(ball: Any) -> Any:
    return ball.real.rad() + ball.imag.rad() if isinstance(ball, acb) else ball.rad()


def _ratio(allowed: float, found: float) -> float:
    return float("inf") if found == 0 else allowed / found


def _shown(value: Any) -> str:
    if isinstance(value, arb) and 1e-6 * float(abs(value).upper()) < float(value.rad()) < float("inf"):
        return f"{float(value.lower()):.8g} to {float(value.upper()):.8g}"  # a bracket, both ends of which count
    if isinstance(value, (arb, acb)):
        return str(value.str(12)) if isinstance(value, arb) else f"{value.real.str(10)} + {value.imag.str(10)}i"
    if isinstance(value, (float, np.floating)):
        return f"{value:.10g}"
    return str(value)[:80]
