"""H-infinity norm of any stable system: the largest gain at any frequency, between two bounds that are both proved.

    continuous:  sup over real w of norm(G(iw)),      discrete:  sup over abs(z) = 1 of norm(G(z)),      G(s) = C (s I - A)^-1 B.

Below: the gain at one frequency, with the rounding of its computation. Above: gamma, if some Hermitian X makes

    F = [[A* X + X A + C* C, X B], [B* X, -gamma^2]]      (discrete: [[A* X A - X + C* C, A* X B], [B* X A, B* X B - gamma^2]])

negative definite; for with x = (s I - A)^-1 B u on the axis (circle) the form of F at (x, u) is norm(C x)^2 - gamma^2 abs(u)^2.
F is computed from the given floats and its rounding is bounded entry by entry, so that it does not matter how the
frequency and X were found: by the level sets of the gain, and from an algebraic Riccati equation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import CertificationError, InputError
from hippo_theory.norms.gramians import outputs, shifted, stable_form, unit_scaled
from hippo_theory.systems import DenseSystem, DiagonalSystem, System, to_dense

__all__ = ["LargestGain", "largest_gain"]

Array = NDArray[Any]
Form = DenseSystem | DiagonalSystem

_EPS = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)
_MOST_LEVELS = 60  # of the search: it converges quadratically
_MOST_CORRECTIONS = 4  # of the margins in one proof
_LEAST_SCALED = 2.0**-700
_LEAST_MARGIN = 2.0**-10  # of the largest
_WIDENINGS = (1.0, 1e2, 1e4, 1e6, 1e7)  # of the tolerance, where the one that was asked for could not be proved


@dataclass(frozen=True)
class LargestGain:
    """The H-infinity norm between two bounds.

    Attributes
    ----------
    lower : float
        A bound from below, proved: the gain at `frequency`, less its rounding.
    upper : float
        A bound from above: proved if the kind is ``float64``.
    frequency : float
        w in radians per unit of time, s = i w; discrete: radians per step, z = e^(i w), in (-pi, pi]. At least 0 for a
        system of real matrices.
    kind : str
        ``float64``: both bounds are proved. ``observed``: the upper one is not; no eigenvalue, as computed, says that
        the gain passes it.
    why : str or None
        The reason, if the kind is ``observed`` or the bounds are further apart than the tolerance.
    """

    lower: float
    upper: float
    frequency: float
    kind: str
    why: str | None = None


def largest_gain(system: System, tolerance: float = 1e-7) -> LargestGain:
    """The H-infinity norm of a system of one input: sup over the axis (unit circle) of norm(C (s I - A)^-1 B).

    Parameters
    ----------
    system : System
        Stable, in float64, continuous or discrete, real or complex; several outputs are measured together, by their
        Euclidean norm. C = None is the identity. For the distance of two systems give `difference_system` of them.
    tolerance : float
        The relative distance of the two bounds, 1e-12 to 0.1. Which values can be proved depends on the system.

    Returns
    -------
    LargestGain
        lower <= norm <= upper. Where the tolerance is out of reach for float64, the bounds are wider, or the upper one
        is only observed: where the state is amplified by more than about 1e6, as close to instability.

    Raises
    ------
    InputError
        If the system holds balls or is not stable (as the eigenvalues computed in float64 say), or the tolerance is out
        of range.
    CertificationError
        If the gain is beyond the range of float64, entries of A, B or C differ by more than 1e200 in size, or neither
        bound could be proved.

    Notes
    -----
    gamma is a gain at the frequency w exactly if i w is an eigenvalue of the Hamiltonian matrix

        [[A, B B*/gamma], [-C* C/gamma, -A*]]        (discrete: of a symplectic pencil).

    Between two neighbors of these the gain stays on one side of gamma, so that the gains at all imaginary parts and in
    the middle between neighbors either raise gamma or show that it is passed nowhere: no spike is too narrow for that.
    No eigenvalue has to be judged to be on the axis or not. O(N^3) for each of a few levels; N = 128 takes seconds.

    Source: Boyd, Balakrishnan and Kabamba (1989), doi:10.1007/BF02551385; Bruinsma and Steinbuch (1990),
    doi:10.1016/0167-6911(90)90049-Z; F is that of the bounded real lemma.

    Examples
    --------
    >>> from hippo_theory.norms import difference_system, largest_gain
    >>> from hippo_theory.systems import DiagonalSystem
    >>> slow, fast = DiagonalSystem([-1.0], [1]), DiagonalSystem([-2.0], [1])
    >>> found = largest_gain(difference_system(slow, fast))  # 1/(s+1) - 1/(s+2): 1/2 at frequency 0
    >>> found.lower <= 0.5 <= found.upper, found.frequency, found.kind
    (True, 0.0, 'float64')
    """
    if not 1e-12 <= tolerance <= 0.1:
        raise InputError(f"`tolerance` must be from 1e-12 to 0.1, got {tolerance!r}; 1e-7 is a good value")
    form, time_exponent = _unit_time(stable_form(system))
    (B, input_exponent), (C, output_exponent) = _exactly_scaled("B", form.B), _exactly_scaled("C", outputs(form))
    if not (B.any() and C.any()):
        return LargestGain(0.0, 0.0, 0.0, "float64")
    form = replace(form, B=B, C=C)
    is_real = not any(np.iscomplexobj(array) for array in (_generator(form), B, C))
    gain, frequency, size = _search(form, tolerance)
    # In units in which the gain is of order one; where it is below all rounding, in units of that.
    gain = max(gain, 2.0**-60 * size)
    exponent = math.frexp(gain)[1]
    gain = math.ldexp(gain, -exponent)
    form = replace(form, C=shifted(C, -exponent))
    lower = _proved_gain(form, frequency)
    upper, why = _proved_upper(form, lower, gain, tolerance)
    kind = "observed" if upper is None else "float64"
    if upper is None:
        if lower == 0:
            raise CertificationError(
                "the gain is lost in its rounding and no bound could be proved: the system is too close to instability, "
                "or too badly scaled, for float64; take a system further from it, its diagonal form, or other coordinates"
            )
        # The rounding of the gain, as far as it is seen, counts on this side as well; it can be below the proved bound.
        upper = (max(gain, lower) + abs(gain - lower)) * (1 + tolerance)
    exponent += input_exponent + output_exponent - time_exponent
    bounds = lower * (1 - _EPS), upper * (1 + _EPS)
    lower, upper = (float(shifted(bound, exponent)) for bound in bounds)
    if not math.isfinite(upper):
        raise CertificationError("the largest gain does not fit into float64; scale B or C")
    frequency = float(shifted(abs(frequency) if is_real else frequency, time_exponent))
    return LargestGain(lower if lower >= _TINY else 0.0, max(upper, _TINY), frequency, kind, why)


def _unit_time(form: Form) -> tuple[Form, int]:
    """The system with 2^-e A in place of A, of order one, and e: C (2^e s - A)^-1 B = 2^-e C (s - 2^-e A)^-1 B."""
    if form.discrete:
        return form, 0
    scaled, exponent = _exactly_scaled("A", _generator(form))
    return (replace(form, Lambda=scaled) if isinstance(form, DiagonalSystem) else replace(form, A=scaled)), exponent


def _exactly_scaled(name: str, array: Array) -> tuple[Array, int]:
    scaled, exponent = unit_scaled(array)
    if (shifted(scaled, exponent) != array).any() or (np.abs(scaled)[scaled != 0] < _LEAST_SCALED).any():
        raise CertificationError(
            f"the entries of `{name}` differ by more than 1e200 in size, too much for a proof in float64; scale the states"
        )
    return scaled, exponent


# --- the search -------------------------------------------------------------------------------------------------------


def _generator(form: Form) -> Array:
    return form.Lambda if isinstance(form, DiagonalSystem) else form.A


def _search(form: Form, tolerance: float) -> tuple[float, float, float]:
    """The largest gain found, as far as the eigenvalues computed say within tolerance/4 of the norm; its frequency; and
    norm(C) norm(x) there, the scale of its rounding.
    """
    gains = _Gains(form)
    poles = form.Lambda if isinstance(form, DiagonalSystem) else np.linalg.eigvals(form.A)
    if form.discrete:
        start = [np.linspace(-np.pi, np.pi, 9)[1:], np.angle(poles)]
    else:
        start = [np.zeros(1), np.abs(poles), -np.abs(poles), poles.imag]
    best, frequency = gains.best(np.concatenate(start))
    for _ in range(_MOST_LEVELS):
        if not best > _TINY:
            break
        level = best * (1 + tolerance / 4)
        crossings = np.sort(_crossings(form, level))
        found, place = gains.best(np.concatenate([crossings, (crossings[1:] + crossings[:-1]) / 2, [frequency]]))
        if found > best:
            best, frequency = found, place
        if not found > level:
            break
    state = gains.states(np.array([frequency]))
    return best, frequency, float(np.linalg.norm(outputs(form)) * np.linalg.norm(state))


class _Gains:
    """The gain at many frequencies, after one Schur decomposition if the system is dense."""

    def __init__(self, form: Form) -> None:
        import scipy.linalg

        self.form, self.B, self.C = form, form.B, outputs(form)
        if isinstance(form, DenseSystem):
            self.triangle, basis = scipy.linalg.schur(form.A.astype(np.complex128), output="complex")
            self.B, self.C = basis.conj().T @ form.B, self.C @ basis

    def states(self, frequencies: Array) -> Array:
        """(s I - A)^-1 B in the columns of a matrix, in the coordinates of the decomposition."""
        import scipy.linalg

        points = np.exp(1j * frequencies) if self.form.discrete else 1j * frequencies
        if isinstance(self.form, DiagonalSystem):
            return np.asarray(self.B[:, None] / (points - self.form.Lambda[:, None]))
        identity = np.eye(self.form.N)
        found = [scipy.linalg.solve_triangular(s * identity - self.triangle, self.B) for s in points]
        return np.stack(found, axis=1)

    def best(self, frequencies: Array) -> tuple[float, float]:
        """The largest gain and its frequency."""
        found = np.linalg.norm(self.C @ self.states(frequencies), axis=0)
        place = int(np.argmax(found))
        return float(found[place]), float(frequencies[place])


def _pencil(form: Form, weight: Array, square: float) -> tuple[Array, Array | None]:
    """L w = s M w (M = None: the identity) with w = (x, p) along the extremals of norm(C x)^2 - gamma^2 abs(u)^2.

    x' = A x + B B* p / square,  p' = -A* p - weight x;    discrete: z x = A x + z B B* p / square,  p = z A* p + weight x.
    """
    A, identity, zero = to_dense(form).A, np.eye(form.N), np.zeros((form.N, form.N))
    drive = np.outer(form.B, form.B.conj()) / square
    if not form.discrete:
        return np.block([[A, drive], [-weight, -A.conj().T]]), None
    return np.block([[A, zero], [-weight, identity]]), np.block([[identity, -drive], [zero, A.conj().T]])


def _crossings(form: Form, level: float) -> Array:
    """The frequencies of all eigenvalues of the Hamiltonian matrix, or of the symplectic pencil, at this level."""
    import scipy.linalg

    C = outputs(form)
    left, right = _pencil(form, C.conj().T @ C / level, level)
    if right is None:
        return np.asarray(np.linalg.eigvals(left).imag)
    above, below = scipy.linalg.eigvals(left, right, homogeneous_eigvals=True)
    return np.asarray(np.angle(above * below.conj())[(above != 0) & (below != 0)])


# --- the proofs -------------------------------------------------------------------------------------------------------


def _unit(form: Form) -> float:
    """Bound on the rounding of an inner product over states or outputs, relative to the sum of the moduli of its terms."""
    return 2 * (max(form.N, len(outputs(form))) + 8) * _EPS


def _proved_gain(form: Form, frequency: float) -> float:
    """A lower bound of the gain at a frequency.

    With M = s I - A, Z = M^-1 and x = M^-1 B as computed, r = B - M x and E = I - Z M:  C M^-1 B = C x + C M^-1 r and
    M^-1 r = (Z + E Z + E^2 Z + ...) r, hence abs(M^-1 r) <= y / (1 - d) entry by entry if y = abs(Z) abs(r) and
    abs(E) y <= d y < y. In discrete time s is e^(i w) to 2 eps, which is part of the bound on r.
    """
    s = complex(np.exp(1j * frequency)) if form.discrete else 1j * frequency
    C, unit = outputs(form), _unit(form)
    A = to_dense(form).A
    M = s * np.eye(form.N) - A
    try:
        Z, x = np.linalg.inv(M), np.linalg.solve(M, form.B)
    except np.linalg.LinAlgError:
        return 0.0
    size = np.abs(A) + abs(s) * np.eye(form.N)
    residual = np.abs(form.B - M @ x) + unit * (size @ np.abs(x) + np.abs(form.B))
    error = (1 + unit) * (np.abs(Z) @ residual) + _TINY
    defect = np.abs(np.eye(form.N) - Z @ M) + unit * (np.abs(Z) @ size + np.eye(form.N))
    share = float((defect @ error / error).max()) * (1 + unit)
    if not share < 0.5:
        return 0.0
    change = np.abs(C) @ (error / (1 - share) + unit * np.abs(x))
    return max(0.0, float(np.linalg.norm(C @ x) - np.linalg.norm(change)) * (1 - unit) - _TINY)


def _proved_upper(form: Form, lower: float, gain: float, tolerance: float) -> tuple[float | None, str | None]:
    """The least upper bound of a few that is proved, or None, and what is to be said of it."""
    if lower > 0:
        levels = [lower * (1 + min(tolerance * widening, 1.0)) for widening in _WIDENINGS]
    else:  # the gain is below its rounding: perhaps 0
        levels = [gain * 100.0**power for power in range(1, 10)]
    for position, level in enumerate(levels):
        if _is_above(form, level):
            if lower == 0:
                return level, "the gain found is within its rounding, so that only the upper bound is of use"
            if position:
                return level, f"in float64 the upper bound could be proved to a relative {level / lower - 1:.1e} only"
            return level, None
    return None, "no upper bound could be proved in float64; the eigenvalues computed show no larger gain"


def _is_above(form: Form, level: float) -> bool:
    """Whether it is proved that no gain is above the level.

    X comes from the Riccati equation with slightly enlarged C* C and slightly smaller gamma^2, so that F has a margin
    against its rounding and the error of X; the margins are corrected until the proof succeeds, or X does not exist.
    """
    C = outputs(form)
    weight, square = C.conj().T @ C, level * level
    margin = np.zeros(form.N + 1)
    for _ in range(_MOST_CORRECTIONS):
        X = _riccati(form, weight + np.diag(margin[:-1]), square - margin[-1])
        if X is None:
            return False
        F, rounding = _bounded_real_form(form, X, level)
        if _is_negative(F, rounding):
            return True
        schur = F[-1, -1].real
        if not schur < 0:
            return False
        defect = F[:-1, :-1] - np.outer(F[:-1, -1], F[-1, :-1]) / (schur + margin[-1]) + np.diag(margin[:-1])
        needed = 2 * (rounding.sum(axis=1) + _cholesky_shift(len(F)) * np.abs(F.diagonal()))
        needed[:-1] += 2 * np.abs(defect).sum(axis=1)
        needed[:-1] += _LEAST_MARGIN * needed.max()  # also for states that are not observed
        margin = np.maximum(2 * margin, needed)
        if not margin[-1] < square / 2:
            return False
    return False


def _riccati(form: Form, weight: Array, square: float) -> Array | None:
    """X with p = X x on the stable subspace of the pencil, or None if there is none."""
    import scipy.linalg

    N = form.N
    # p in units in which both coupling blocks have the same size.
    unit = math.sqrt(np.linalg.norm(weight) * square) / float(np.linalg.norm(form.B))
    left, right = _pencil(form, weight / unit, square / unit)
    try:
        if right is None:
            with np.errstate(
                invalid="ignore"
            ):  # SciPy casts large scalings to integers, for permutations that it has not
                balanced, scaling = scipy.linalg.matrix_balance(left, permute=False)
            _, basis, count = scipy.linalg.schur(balanced, sort="lhp")
            basis = scaling @ basis
        else:
            *_, above, below, _, basis = scipy.linalg.ordqz(left, right, sort="iuc")
            count = int((np.abs(above) < np.abs(below)).sum())
        if count != N:
            return None
        X = np.linalg.solve(basis[:N, :N].T, basis[N:, :N].T).T
    except (np.linalg.LinAlgError, ValueError):
        return None
    return np.asarray((X + X.conj().T) * (unit / 2)) if np.isfinite(X).all() else None


def _bounded_real_form(form: Form, X: Array, level: float) -> tuple[Array, Array]:
    """F and a bound on the rounding of each of its entries; see the head of this file."""
    A, B, C = to_dense(form).A, form.B[:, None], outputs(form)
    unit = _unit(form)
    sizes = [np.abs(array) for array in (A, X, B, C)]
    square = np.array([[level * level]])
    corner = C.conj().T @ C
    corner_size = sizes[3].T @ sizes[3]
    if form.discrete:
        left, left_size = A.conj().T @ X, sizes[0].T @ sizes[1]
        blocks = left @ A - X + corner, left @ B, B.conj().T @ X @ B - square
        bounds = (
            2 * unit * (left_size @ sizes[0] + sizes[1] + corner_size),
            2 * unit * (left_size @ sizes[2]),
            2 * unit * (sizes[2].T @ sizes[1] @ sizes[2] + square),
        )
    else:
        product, size = X @ A, sizes[1] @ sizes[0]
        blocks = product + product.conj().T + corner, X @ B, -square
        bounds = unit * (size + size.T + corner_size), unit * (sizes[1] @ sizes[2]), 4 * _EPS * square
    F = np.block([[blocks[0], blocks[1]], [blocks[1].conj().T, blocks[2]]])
    rounding = np.block([[bounds[0], bounds[1]], [bounds[1].T, bounds[2]]])
    return (F + F.conj().T) / 2, rounding


def _is_negative(F: Array, rounding: Array) -> bool:
    """Whether every Hermitian matrix within the bounds of F is negative definite.

    A Hermitian matrix whose entries are bounded by `rounding` is at most the diagonal matrix of its row sums
    (Gershgorin). The rest is scaled to a unit diagonal; if the Cholesky decomposition of it less a multiple of the
    identity runs to its end, it is positive definite (Rump 2006, doi:10.1007/s10543-006-0056-1).
    """
    M = -F - np.diag(rounding.sum(axis=1) * (1 + len(F) * _EPS))
    diagonal = M.diagonal().real
    if not (diagonal > 0).all() or not np.isfinite(M).all():
        return False
    scale = 1 / np.sqrt(diagonal)
    try:
        np.linalg.cholesky(scale[:, None] * M * scale - _cholesky_shift(len(M)) * np.eye(len(M)))
    except np.linalg.LinAlgError:
        return False
    return True


def _cholesky_shift(count: int) -> float:
    """Rump: (n + 1) u / (1 - ...) times the trace n, u = eps/2; fourfold, for complex numbers and for the scaling."""
    return 2 * (count + 4) * _EPS * count
