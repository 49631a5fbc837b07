"""H-infinity norm of the error of the diagonal restriction of LegS: the largest gain at any frequency, certified.

With E_n(s) = -X_n(s) q(s) / (1 + q(s)) the transfer function of the error in closed form, r = abs(q(iw)) and
theta = arg q(iw),

    abs(E_n(iw))^2 = abs(X_n(iw))^2 r^2 / ((1 - r)^2 + 4 r cos(theta/2)^2),

a row of spikes where theta passes odd multiples of pi. The bilinear rule maps it to the unit circle exactly:

    step sum_l k_l z^-l = (1 + s step/2) E_n(s),     s = (2/step) (z-1)/(z+1),

so that both are maximized by branch and bound on monotone factors (`_axis_boxes`). Under the other methods the transfer
function is a trigonometric polynomial up to a small tail: its values on a fine grid, with a rigorous bound between grid
points, leave a few short intervals (`_circle_boxes`). In either case what is left is decided by the signs of derivatives
in balls (`_climb`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, acb_series, arb, arb_series
from numpy.typing import NDArray

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds
from hippo_theory.discretizations import checked_step, discretize, find_method
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.families import Family, LegS
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel
from hippo_theory.norms.sup import LagValues

__all__ = ["HinfNorm", "hinf_norm"]

Array = NDArray[Any]
Box = tuple[Any, Any]  # the two ends of an interval, exact arb
Jets = Callable[[Any], tuple[Any, Any, Any]]  # a real function and its first two derivatives, on a ball

_UNIT = 2.0**-53
_ATTEMPTS = 6
_ROUNDS = 300  # of halving in `_axis_boxes`; about 2 log2(N) + 20 are used
_MOST_BOXES = 4_000
_OVERSAMPLING = 128
_MOST_POINTS = 1 << 23  # never less than 32 a lag
_MOST_LAGS = 1 << 18
_MOST_INTERVALS = 200


@dataclass(frozen=True)
class HinfNorm:
    """The largest gain of the error.

    Attributes
    ----------
    value : arb or None
        Encloses the supremum if certified; else a value attained, hence a lower bound, or None (see `why`).
    frequency : arb or None
        Encloses the w >= 0 where it is attained: at s = i w, in discrete time at z = e^(i w step).
    kind : str
        ``certified``: the supremum over all frequencies. ``observed``: not proved to be the supremum, or to fewer
        digits than were asked for.
    why : str or None
        The reason, if the kind is ``observed``.
    """

    value: Any
    frequency: Any
    kind: str
    why: str | None = None


def hinf_norm(
    family: Family, component: int, digits: int = 15, method: str = "continuous", step: Any = None
) -> HinfNorm:
    """Largest abs(transfer function) of (diagonal restriction) - (full LegS), component n, on the boundary of stability.

        continuous: sup over w of abs(E_n(iw));   otherwise: sup over abs(z) = 1 of abs(step sum_l e_l z^-l),

    e_l the difference of the two kernels, discretized alike and divided by the step (see `discretize`).

    Parameters
    ----------
    family : LegS
        In its default convention.
    component : int
        n, 0 <= n < N.
    digits : int
        Significant digits of the value.
    method : str
        continuous, zoh, bilinear or sampled.
    step : number, optional
        dt > 0, exact; None exactly if the method is continuous.

    Returns
    -------
    HinfNorm
        Relative radius of the value at most 10^-digits where the kind is certified; of the frequency about as small,
        except where the supremum is a limit at infinity on the axis, z = -1 (bilinear, N <= 2, large steps).

    Raises
    ------
    InputError
        For another family or convention, or a step that does not go with the method.
    CertificationError
        If the digits could not be reached.

    Examples
    --------
    >>> from hippo_theory.arithmetic import decimal_ball
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.norms.hinf import hinf_norm
    >>> decimal_ball(hinf_norm(LegS(1024), 0, 20).value, 20).value  # 2/pi = 0.63662 as N grows
    '0.636620271706642023248'
    """
    component = family.checked_component(component)
    digits = checked_size("digits", digits)
    if not isinstance(family, LegS) or not family.form.normal_plus_low_rank:
        raise InputError(f"the norm is known for LegS as x' = A x + B u; got {family!r}")
    if (step is None) != (method == "continuous"):
        raise InputError(f"`step` must be given exactly for discrete methods; got {step!r} with method {method!r}")
    exact_step = None if step is None else checked_step(step)
    if exact_step is not None:
        find_method(method)
    bits = (
        4 * digits + 96 + 8 * family.N.bit_length() + 3 * component
    )  # the coefficients of component n reach 2^(2.6 n)
    for attempt in range(_ATTEMPTS):
        try:
            with balls(bits << attempt).work():
                if exact_step is None or method == "bilinear":
                    return _on_the_axis(_Axis.of(family.N, component, exact_step), digits)
                return _on_the_circle(family, component, method, exact_step, digits, bits << attempt)
        except CertificationError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the loop returns or raises")


# --- continuous time and the bilinear rule ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Axis:
    """abs(weight(iw) E_n(iw))^2 for w >= 0; weight 1, or 1 + s step/2 under the bilinear rule; balls at the ambient precision.

    abs(X_n(iw))^2 = (2n+1) w^2 / ((n^2+w^2) ((n+1)^2+w^2)) and r^2 = w^2/(w^2+N^2) follow from X_n and q being products
    of the factors (s-k)/(s+k), of modulus 1, up to those at the ends. The phase is a sum of arctangents,

        theta(w) = (N - 1/2) pi - 2 sum_{k<N} atan(w/k) - atan(w/N),     k = 1, ..., N-1,

    which decreases from (N - 1/2) pi to 0.
    """

    N: int
    component: int
    half_step: Any  # step/2 as a ball; 0 in continuous time

    @staticmethod
    def of(N: int, component: int, step: Fraction | None) -> _Axis:
        """The function for one size, component and step."""
        return _Axis(N, component, arb(0) if step is None else arb(step.numerator) / (2 * step.denominator))

    def phase(self, frequency: Any) -> Any:
        """theta(w), through log-gamma: sum_{k<N} atan(w/k) = Im[lgamma(N + iw) - lgamma(1 + iw)]."""
        angle = (acb(self.N, frequency).lgamma() - acb(1, frequency).lgamma()).imag
        return (arb(self.N) - arb(1) / 2) * arb.pi() - 2 * angle - (frequency / self.N).atan()

    def phase_series(self, frequency: Any) -> Any:
        """theta as a power series about w, to second order; on a ball its value comes from the middle and the slope."""
        parts = [acb_series([acb(a, frequency), acb(0, 1)], prec=3).lgamma().coeffs() for a in (self.N, 1)]
        tangent = arb_series([frequency / self.N, arb(1) / self.N], prec=3).atan().coeffs()
        middle = frequency.mid()
        slope, curvature = (
            -2 * ((parts[0][k] - parts[1][k]).imag if self.N > 1 else arb(0)) - _coefficient(tangent, k) for k in (1, 2)
        )
        return arb_series([self.phase(middle) + slope * (frequency - middle), slope, curvature], prec=3)

    def logarithm(self, frequency: Any) -> tuple[Any, Any, Any]:
        """log of the function and its first two derivatives, on a ball of positive frequencies."""
        n, N = self.component, self.N
        undecided = arb.nan(), arb.nan(), arb.nan()  # a box too wide for the logarithms
        w = arb_series([frequency, 1], prec=3)
        square = w * w
        share = arb(N * N) / (square + N * N)  # 1 - r^2
        factors = [1 - share, 1 + square * self.half_step**2, 1 / (square + (n + 1) ** 2)]
        factors += [square / (square + n * n)] if n else []
        if not all(_coefficient(factor.coeffs(), 0) > 0 for factor in factors):
            return undecided
        modulus = (1 - share).sqrt()
        gap = share / (1 + modulus)  # 1 - r, without cancellation
        cosine = (self.phase_series(frequency) / 2).cos()
        spikes = gap * gap + 4 * modulus * cosine * cosine
        if not _coefficient(spikes.coeffs(), 0) > 0:
            return undecided
        result = arb(2 * n + 1).log() - spikes.log() + sum(factor.log() for factor in factors)
        value, first, second = (_coefficient(result.coeffs(), k) for k in range(3))
        return value, first, 2 * second


def _coefficient(coefficients: list[Any], index: int) -> Any:
    return coefficients[index] if index < len(coefficients) else arb(0)


@dataclass(frozen=True)
class _End:
    """The monotone factors of the function at the end of a box; `frequency` is None at infinity."""

    frequency: Any
    phase: Any
    modulus: Any
    gap: Any
    rising: Any  # w^2/(n^2+w^2)
    weight: Any  # (1 + (w step/2)^2)/((n+1)^2+w^2), monotone in one direction or the other

    @staticmethod
    def at(axis: _Axis, frequency: Any) -> _End:
        """The factors at an exact frequency, or at infinity (None)."""
        n, N = axis.component, axis.N
        if frequency is None:
            return _End(None, arb(0), arb(1), arb(0), arb(1), axis.half_step**2)
        square = frequency * frequency
        modulus = (square / (square + N * N)).sqrt()
        gap = arb(N * N) / ((square + N * N) * (1 + modulus))
        rising = square / (square + n * n) if n else arb(1)
        weight = (1 + square * axis.half_step**2) / (square + (n + 1) ** 2)
        return _End(frequency, axis.phase(frequency), modulus, gap, rising, weight)

    def value(self, axis: _Axis) -> Any:
        """The function itself, abs(weight E_n)^2."""
        cosine = (self.phase / 2).cos()
        spikes = self.gap * self.gap + 4 * self.modulus * cosine * cosine
        return (2 * axis.component + 1) * self.rising * self.weight * self.modulus**2 / spikes


def _upper(axis: _Axis, left: _End, right: _End) -> Any:
    """An upper bound (a ball: its upper end counts) of the function between two ends, each factor at its extreme end.

    r, w^2/(n^2+w^2) increase; 1 - r and theta decrease; the weight is a Moebius function of w^2, hence monotone; the
    cosine squared is least at an end, or 0 if an odd multiple of pi lies between.
    """
    numerator = right.rising * left.weight.max(right.weight) * right.modulus**2
    count_left, count_right = (((end.phase / arb.pi() + 1) / 2).floor() for end in (left, right))
    cosine = arb(0)
    if count_left.is_exact() and count_left == count_right:
        cosine = abs((left.phase / 2).cos()).min(abs((right.phase / 2).cos()))
    spikes = right.gap * right.gap + 4 * left.modulus * cosine * cosine
    return (2 * axis.component + 1) * numerator / spikes


def _axis_boxes(axis: _Axis, digits: int) -> tuple[list[Box], HinfNorm | None]:
    """Short intervals that contain every maximizer; or, where the supremum is a limit at infinity, the result itself.

    The last box reaches to infinity and moves outwards until it is dropped, or all that is left has the digits. After it
    is dropped, a box is finished when both ends attain half of the best value known and its bound is below twice that.
    """
    # A good start: the last spike is at N^2/pi - pi/6 + O(N^-2), and its width is 1/2.
    best = _End.at(axis, (axis.N**2 / arb.pi() - arb.pi() / 6).mid()).value(axis).lower() if axis.N > 1 else arb(0)
    ends = [_End.at(axis, arb(0)), _End.at(axis, arb(1)), _End.at(axis, None)]
    boxes = list(pairwise(ends))
    finished: list[Box] = []
    enclosure = arb.nan()
    for _ in range(_ROUNDS):
        halves, bound, open_ended = [], best, boxes[-1][1].frequency is None
        for left, right in boxes:
            upper = _upper(axis, left, right)
            if upper < best:
                continue
            ready = not open_ended and left.frequency > 0 and upper < 2 * best
            if ready and left.value(axis).min(right.value(axis)) > best / 2:
                finished.append((left.frequency, right.frequency))
                continue
            bound = bound.max(upper) if upper.is_finite() else arb.pos_inf()
            middle = 2 * left.frequency if right.frequency is None else ((left.frequency + right.frequency) / 2).mid()
            between = _End.at(axis, middle)
            best = max(best, between.value(axis).lower())
            halves += [(left, between), (between, right)]
        if not halves:
            return finished, None
        boxes = halves
        enclosure = best.union(bound).sqrt()
        if open_ended and _is_narrow(enclosure, digits):
            outer = arb.pi() / (2 * axis.half_step)
            inner_end = (boxes[0][0].frequency * axis.half_step).atan() / axis.half_step
            return [], HinfNorm(enclosure, inner_end.union(outer), "certified")
        if len(boxes) > _MOST_BOXES:
            break
    reason = f"branch and bound stopped with {len(boxes)} intervals; the ball encloses the norm to fewer digits than asked for"
    return [], HinfNorm(enclosure, arb.nan(), "observed", reason)


def _on_the_axis(axis: _Axis, digits: int) -> HinfNorm:
    """The norm from the closed form, in continuous time or under the bilinear rule."""
    boxes, result = _axis_boxes(axis, digits)
    if result is not None:
        return result
    logarithm, frequency = _climb(boxes, axis.logarithm, digits)
    if not axis.half_step.is_zero():
        frequency = (frequency * axis.half_step).atan() / axis.half_step
    return HinfNorm(_narrow((logarithm / 2).exp(), digits), frequency, "certified")


# --- zero-order hold and sampling ---------------------------------------------------------------------------------------


def _on_the_circle(family: LegS, component: int, method: str, step: Fraction, digits: int, bits: int) -> HinfNorm:
    """The norm under a method for which the transfer function has no closed form, from its modes."""
    ring = balls(bits)
    error = diagonal_kernel(family, component, ring) - full_kernel(family, component, ring)
    kernel = discretize(error, method, step)
    # At long steps the first lag is all there is: abs(H) lies within sum_{l>0} abs(k_l) of abs(k_0) on the whole circle.
    rest, _ = _absolute_tails(kernel, 1)
    if rest.is_finite() and rest * arb(10) ** digits < abs(kernel(0)):
        constant = abs(kernel(0)) + arb(0, rest.upper())
        return HinfNorm(_narrow(ring.number(step) * constant, digits), arb.pi() / ring.number(2 * step), "certified")
    boxes, third, why = _circle_boxes(kernel)
    gain = _Gain(kernel, third)
    dt = ring.number(step)
    if not boxes:
        return HinfNorm(None, None, "observed", why)
    if why is not None:
        angle = ((boxes[0][0] + boxes[0][1]) / 2).mid()
        return HinfNorm(_narrow(dt * (gain.logarithm(angle)[0] / 2).exp(), digits), angle / dt, "observed", why)
    logarithm, angle = _climb(boxes, gain.logarithm, digits)
    return HinfNorm(_narrow(dt * (logarithm / 2).exp(), digits), abs(angle) / dt, "certified")


class _Gain:
    """log abs(H)^2 of H(angle) = sum_l k_l e^(-i l angle) = sum_m c_m / (1 - y_m), y_m = z_m e^(-i angle).

    On a ball of angles with middle a and radius h, H is enclosed by its Taylor polynomial about a with the remainder that
    abs(d^3 H) <= sum_l l^3 abs(k_l) = `third` leaves: third h^3/6 in H, third h^2/2 in H', third h in H''. The modes are
    only evaluated at points, where the huge alternating coefficients of the full kernel can cancel; and the middle of a
    ball and the ball itself share that evaluation.
    """

    def __init__(self, kernel: ExponentialSum, third: Any) -> None:
        self.kernel, self.third = kernel, third
        self._last: tuple[Any, Any, Any, Any] | None = None

    def _at(self, angle: Any) -> tuple[Any, Any, Any]:
        """H, H', H'' at an exact angle: dy/d(angle) = -i y gives H' = -i sum c y/(1-y)^2, H'' = -sum c y (1+y)/(1-y)^3."""
        if self._last is None or self._last[0] != angle:
            rotation = acb(0, -angle).exp()
            value, first, second = acb(0), acb(0), acb(0)
            for c, rate in _all_modes(self.kernel):
                y = rate * rotation
                inverse = 1 / (1 - y)
                term = c * inverse
                slope = term * inverse * y
                value += term
                first += slope
                second += slope * inverse * (1 + y)
            self._last = angle, value, acb(0, -1) * first, -second
        return self._last[1:]

    def logarithm(self, angle: Any) -> tuple[Any, Any, Any]:
        """The function and its first two derivatives, on a ball of angles."""
        middle, radius = angle.mid(), angle.rad()
        offset = angle - middle
        value, first, second = self._at(middle)
        remainders = [self.third * radius**3 / 6, self.third * radius**2 / 2, self.third * radius]
        disc = [acb(arb(0, bound), arb(0, bound)) for bound in remainders]
        value = value + offset * first + offset * offset * second / 2 + disc[0]
        first = first + offset * second + disc[1]
        second = second + disc[2]
        power = _real_product(value, value)
        slope = 2 * _real_product(value, first) / power
        bend = 2 * (_real_product(first, first) + _real_product(value, second)) / power
        return power.log(), slope, bend - slope * slope


def _real_product(one: Any, other: Any) -> Any:
    """Re(conj(one) other). Products, not squares: python-flint's x**2 is NaN for a ball of middle exactly 0."""
    return one.real * other.real + one.imag * other.imag


def _all_modes(kernel: ExponentialSum) -> Iterator[tuple[Any, Any]]:
    yield from zip(kernel.real_coefficients, kernel.real_rates, strict=True)
    for c, rate in zip(kernel.coefficients, kernel.rates, strict=True):
        yield c, rate
        yield c.conjugate(), rate.conjugate()


def _circle_boxes(kernel: ExponentialSum) -> tuple[list[Box], Any, str | None]:
    """Short intervals of angles that contain every maximizer in [0, pi] of abs(H) on the unit circle, a bound on
    sum_l l^3 abs(k_l), and None. If the first could not be proved: the interval of the largest value seen, and why.

    Notes
    -----
    H = p + tail, p(angle) = sum_{l<L} k_l e^(-i l angle), abs(tail) <= tau. T = abs(p)^2 is a real trigonometric
    polynomial of degree L-1 with values in [0, m], m = max T. With T = m cos(alpha/2)^2, Bernstein's inequality in
    Szego's form (abs(T') <= (L-1) sqrt(T (m-T))) says that alpha has the Lipschitz constant L-1. At a maximizer of
    abs(H), abs(p) >= sqrt(m) - 2 tau, hence cos(alpha/2) >= 1 - 2 rho, sin(alpha/2) <= 2 sqrt(rho), rho = tau/sqrt(m). The
    nearest of M equidistant points is at most pi/M away, and there

        abs(p) >= sqrt(m) cos(alpha/2 + y) >= sqrt(m) ((1 - 2 rho) cos y - 2 sqrt(rho) sin y),     y = pi (L-1)/(2 M).

    So every maximizer is within pi/M of a grid point that reaches this level. Float64: k_l carries the bound of
    `LagValues`, at most L of them add up; the fast Fourier transform of x has an error of at most eta sqrt(M) norm(x) in
    every entry, eta = 10 u log2(M) (Higham, Accuracy and Stability, theorem 24.2, has 6.7 u log2(M) for radix 2 with
    twiddle factors accurate to u; larger radices need fewer operations).

    The bound on the third moment: the same values, and for the modes beyond L, with g = abs(z_m),
    sum_{l>=L} l^3 g^l <= g^L sum_i 4 (L^3 + i^3) g^i = 4 g^L (L^3 / (1-g) + g (1 + 4 g + g^2) / (1-g)^4).
    """
    table = LagValues(kernel)
    largest = max([2 * abs(c) for c in kernel.coefficients], key=float, default=arb(1))
    lags = 256
    tail, tail_third = _absolute_tails(kernel, lags)
    while not tail < largest * arb(2) ** -40 and lags < _MOST_LAGS:
        lags *= 2
        tail, tail_third = _absolute_tails(kernel, lags)
    values, bound = table.values(0, lags)
    points = min(_OVERSAMPLING * lags, _MOST_POINTS)
    gains = np.abs(np.fft.rfft(values, points))
    rounding = 10 * _UNIT * math.log2(points) * math.sqrt(points) * float(np.linalg.norm(values))
    error = (lags * bound + rounding) * (1 + 1e-9) + 4 * _UNIT * float(gains.max())
    peak = float(gains.max()) - error
    spread = math.pi * (lags - 1) / (2 * points)
    share = float(tail.upper()) * (1 + 1e-15) / peak if peak > 0 else 1.0
    level = peak * ((1 - 2 * share) * math.cos(spread) - 2 * math.sqrt(share) * math.sin(spread)) * (1 - 1e-12) - error
    chosen = np.flatnonzero(gains >= level)
    runs = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    why = None
    padding = 1e-14  # more than the rounding of a float64 angle up to 2 pi
    if not share < 0.01 and lags < _MOST_LAGS:
        # The step is so long that one lag is nearly all there is, and float64 errors swamp the rest: search everywhere.
        return [_whole_circle(kernel, padding)], _absolute_tails(kernel, 0)[1], None
    if not share < 0.01:
        why = f"after {lags} lags the tail may still be {share:.1g} of the largest gain seen; take a larger step"
        return [], tail_third, why
    if len(runs) > _MOST_INTERVALS:
        why = f"{len(runs)} intervals come within {1 - level / peak:.1g} of the largest gain on a grid, which is given"
    if why is not None:
        top = int(np.argmax(gains))
        runs = [np.array([top])]
    moment = float(np.sum(np.arange(lags, dtype=np.float64) ** 3 * (np.abs(values) + bound))) * (1 + 1e-9)
    boxes = []
    for run in runs:
        ends = (2 * int(run[0]) - 1, 2 * int(run[-1]) + 1)
        boxes.append((arb(math.pi * ends[0] / points - padding), arb(math.pi * ends[1] / points + padding)))
    # The float64 errors swamp the values where the step is so long that one lag is nearly all there is.
    return boxes, (tail_third + moment).min(_absolute_tails(kernel, 0)[1]), why


def _whole_circle(kernel: ExponentialSum, padding: float) -> Box:
    """Angles that contain every maximizer: [0, pi], less a piece at 0 where abs(H) is small.

    The zero-order hold keeps the gain at frequency 0, so that H(0) = 0 and the logarithm has no value there; but
    abs(H(angle)) <= abs(H(0)) + angle sum_l l abs(k_l), which stays below abs(H(pi)) for small angles.
    """
    at_zero = abs(sum((c / (1 - rate) for c, rate in _all_modes(kernel)), acb(0)))
    at_pi = abs(sum((c / (1 + rate) for c, rate in _all_modes(kernel)), acb(0)))
    gap = (at_pi.lower() - at_zero.upper()) / _absolute_tails(kernel, 0)[1].upper()
    left = min(gap.lower(), arb(1)) if gap > 0 else arb(-padding)
    return left.mid(), arb(math.pi + padding)


def _absolute_tails(kernel: ExponentialSum, lags: int) -> tuple[Any, Any]:
    """Bounds on the sums of abs(k_l) and of l^3 abs(k_l) over l >= lags, mode by mode."""
    plain, third = arb(0), arb(0)
    for c, rate in _all_modes(kernel):
        modulus = abs(rate)
        share = abs(c) * modulus**lags / (1 - modulus)
        plain += share
        third += 4 * share * (lags**3 + modulus * (1 + modulus * (4 + modulus)) / (1 - modulus) ** 3)
    return plain, third


# --- the maximum of a smooth function in balls --------------------------------------------------------------------------


def _climb(boxes: list[Box], jets: Jets, digits: int) -> tuple[Any, Any]:
    """Enclosures of the maximum and of a maximizer of f over intervals that contain all maximizers of f in their interior.

    An interval is dropped where f(c) + abs(f'(c)) h + sup(f'')^+ h^2/2 (c its middle, h its half width) is below a value
    attained elsewhere, kept where f'' < 0 throughout, and halved otherwise. On a union of neighbors that are kept f is
    strictly concave: it has one maximizer, interior exactly if f' changes sign (see `_top`), and a union without such a
    change contains no maximizer of the whole.
    """
    best: Any = None
    concave: list[Box] = []
    visited = 0
    while boxes:
        visited += len(boxes)
        if visited > _MOST_BOXES:
            raise CertificationError(f"the maximum was not isolated with {_MOST_BOXES} intervals")
        # All middles first: a good lower bound is what drops intervals on the flanks, where f may be convex.
        records = []
        for left, right in boxes:
            box = left.union(right)
            value, slope, _ = jets(box.mid())
            if not value.rad() < 0.01:
                raise CertificationError("the function itself is not resolved at this precision")
            best = value.lower() if best is None else max(best, value.lower())
            records.append((left, right, box, value, slope, jets(box)[2]))
        boxes = []
        for left, right, box, value, slope, bend in records:
            half = box.rad()
            if bend.is_finite() and value + abs(slope) * half + bend.max(arb(0)) * half * half / 2 < best:
                continue
            if bend < 0:
                concave.append((left, right))
            else:
                boxes += [(left, box.mid()), (box.mid(), right)]
    tops = [top for interval in _merged(concave) if (top := _top(interval, jets, digits)) is not None]
    if not tops:
        raise CertificationError("no interval contains a maximum that could be certified")
    value, place = tops[0]
    for other, elsewhere in tops[1:]:
        if other.mid() > value.mid():
            place = elsewhere
        value = value.max(other)
    return value, place


def _merged(boxes: list[Box]) -> list[Box]:
    """Intervals that touch joined into one."""
    result: list[Box] = []
    for left, right in sorted(boxes, key=cmp_to_key(_by_left_end)):
        if result and result[-1][1] == left:
            result[-1] = (result[-1][0], right)
        else:
            result.append((left, right))
    return result


def _by_left_end(one: Box, other: Box) -> int:
    return -1 if one[0] < other[0] else 1


def _top(interval: Box, jets: Jets, digits: int) -> tuple[Any, Any] | None:
    """Maximum and maximizer of f on an interval where f'' < 0, or None if f' does not change sign inside.

    With f'(x - e) > 0 > f'(x + e) the maximizer is within e of x, and, f' being monotone in between,
    f(x) <= max f <= f(x) + e max(f'(x - e), -f'(x + e)).
    """
    low, high = interval
    if jets(low)[1] < 0 or jets(high)[1] > 0:
        return None
    point = ((low + high) / 2).mid()
    for _ in range(200):
        value, slope, bend = jets(point)
        radius = ((-bend).rsqrt() * arb(10) ** -digits).mid()
        move = (slope / bend).mid()
        if abs(move) < radius / 2:
            break
        if slope > 0:
            low = point
        elif slope < 0:
            high = point
        point = (point - move).mid()
        if not (low < point and point < high):
            point = ((low + high) / 2).mid()
    rise, fall = jets(point - radius)[1], jets(point + radius)[1]
    if not (rise > 0 and fall < 0 and interval[0] <= point - radius and point + radius <= interval[1]):
        raise CertificationError("the sign of the derivative next to the maximum is not decided at this precision")
    return value.union(value + radius * rise.max(-fall)), point + arb(0, radius)


def _narrow(value: Any, digits: int) -> Any:
    if not _is_narrow(value, digits):
        raise CertificationError(f"{digits} digits were not reached at this precision")
    return value


def _is_narrow(value: Any, digits: int) -> bool:
    return bool(value.is_finite()) and complex_radius(value) * 10**digits <= magnitude_bounds(value)[0]
