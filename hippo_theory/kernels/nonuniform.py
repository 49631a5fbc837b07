"""Fast kernels of diagonal systems on a uniform grid of lags: blocks of lags, by matrix products or nonuniform FFTs.

    K_l = sum_j w_j Re(c_j e^(lambda_j dt l)),    l = bM + m,    e^(lambda dt l) = e^(lambda dt bM) e^(lambda dt m).

Two algorithms share that split, and powers whose phases are reduced beyond double precision (`phases`):

* ``blocks``: the product of a (blocks x N) and an (N x M) matrix. Any real parts; O(N L) multiplications at the speed
  of BLAS, but only O(N sqrt(L)) exponentials; a proved error bound.
* ``nufft``: where all real parts are one number alpha, e^(alpha dt l) times one type-1 nonuniform FFT of length M per
  block, all with the same points: O((L / M) (N + M log M)). Short blocks also keep l times the float64 rounding of the
  points small, which one FFT over all lags would not. finufft's tolerance is not a proof: the bound is observed.

For general real parts, expanding e^((a_j - alpha) dt m) in Chebyshev polynomials would need 15 to 60 FFTs per block;
that costs as much as the matrix product, which has no expansion error, so ``blocks`` takes all of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import CertificationError, InputError, MissingDependencyError, checked_size
from hippo_theory.kernels.phases import ReducedRates, angles, decays, power_table, reduced_rates
from hippo_theory.kernels.values import KernelValues

__all__ = ["block_product", "has_finufft", "nonuniform_kernel", "nonuniform_product", "rates_table"]

Array = NDArray[Any]

# (modes, stride, count) -> their powers z_j^(stride i), i < count, and a bound on the relative error.
PowerTable = Callable[[slice, int, int], tuple[Array, float]]

_U = 2.0**-53
_BLOCK = 2048  # lags of a nonuniform FFT: at most 1024 times the rounding of a point
_MODES = 256  # modes of one matrix product: short inner sums keep the rounding bound small
_TABLE = 2**20  # entries of one batch of coefficients: 16 MiB
_CHECKED_LAGS = 8  # of each kind
_DIRECT_WORK = 2**22  # N L below which a matrix product is faster than planning a nonuniform FFT


def nonuniform_kernel(
    Lambda: Any,
    coefficients: Any,
    dt: Any,
    L: int,
    *,
    multiplicity: Any = None,
    tolerance: float = 1e-12,
    algorithm: Literal["nufft", "blocks"] | None = None,
) -> KernelValues:
    r"""The kernel of a diagonal system at every lag, faster than its Vandermonde product and without its phase error.

        K_l = sum_j w_j Re(c_j e^(lambda_j dt l)),    l = 0, ..., L-1;    w_j = 2: K = 2 Re sum_j c_j e^(lambda_j dt l).

    Parameters
    ----------
    Lambda, coefficients : (N,) array_like of complex128
        lambda_j and c_j, exact as given; usually one of each conjugate pair.
    dt : number
        Step > 0; floats are exact, and decimal strings are decimals.
    L : int
        Number of lags, at least 1.
    multiplicity : (N,) array_like of float64, optional
        w_j; 2 for every mode by default (a real mode that stands for itself has 1).
    tolerance : float
        Error wanted, relative to sum_j w_j abs(c_j) e^(alpha dt l), of the nonuniform FFT: 1e-14 to 1e-3.
    algorithm : {"nufft", "blocks"}, optional
        By default ``nufft`` where all real parts agree, N L is above 2^22 and finufft is there, else ``blocks``.

    Returns
    -------
    KernelValues
        ``values`` (L,), ``bound``, ``algorithm`` and ``kind``.

    Raises
    ------
    InputError
        For shapes that differ, values that are not finite, L < 1, growth beyond float64, or ``nufft`` with real parts
        that differ.
    MissingDependencyError
        If ``nufft`` is asked for and finufft is not installed.
    CertificationError
        If the nonuniform FFT misses its tolerance at one of the checked lags.

    Notes
    -----
    Memory O(N + L). With S = sum_j abs(w_j c_j) max(1, e^(Re lambda_j dt (L-1))):

    ``blocks``, proved: the two power tables have relative errors e_1, e_2 (`phases.power_table`), the products with
    w_j c_j at most 4 u; an inner sum of 2 x 256 products and n sums of blocks of modes in any order has an error of at
    most (512 + n + 1) u / (1 - (512 + n + 1) u) times the sum of moduli. abs(error) <= (e_1 + e_2 + 4 u + that) S, for
    a BLAS that multiplies matrices conventionally. Underflow adds at most 2^-1000 of S.

    ``nufft``, observed: ten times the largest deviation from direct sums with accurate phases at 16 lags, half of them
    drawn from all over the grid and half at the ends of blocks, where the float64 rounding of the points counts most;
    plus 100 u S. Deviations are taken before the damping, so that every lag counts alike; one above
    (10 tolerance + 1024 x 8 u + e_1) S is refused.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import nonuniform_kernel
    >>> kernel = nonuniform_kernel([-0.5 + 3j], [0.5], 0.01, 1000)
    >>> lags = np.arange(1000)
    >>> bool(np.abs(kernel.values - np.exp(-0.005 * lags) * np.cos(0.03 * lags)).max() < 1e-13)
    True
    >>> kernel.algorithm, kernel.kind, kernel.bound < 2e-13
    ('blocks', 'proved', True)
    """
    L = checked_size("L", L)
    rates = reduced_rates(Lambda, dt)
    c = np.atleast_1d(np.asarray(coefficients, dtype=np.complex128))
    N = len(rates.turns[0])
    weights = np.full(N, 2.0) if multiplicity is None else np.asarray(multiplicity, dtype=np.float64)
    if c.shape != (N,) or weights.shape != (N,) or not (np.isfinite(c).all() and np.isfinite(weights).all()):
        raise InputError(
            f"`coefficients` and `multiplicity` must be {N} finite numbers, one for each rate; "
            f"got shapes {c.shape} and {weights.shape}"
        )
    if not 1e-14 <= tolerance <= 1e-3:
        raise InputError(f"`tolerance` must be from 1e-14 to 1e-3, got {tolerance}")
    if algorithm not in (None, "nufft", "blocks"):
        raise InputError(f"`algorithm` must be nufft, blocks or None, got {algorithm!r}")
    c = weights * c
    largest = _largest_sum(rates, c, L)
    constant = N > 0 and all(bool((part == part[0]).all()) for part in rates.exponents)
    if algorithm == "nufft" and not constant:
        raise InputError("`algorithm` nufft needs rates of one real part; take blocks, which takes any")
    if algorithm is None:
        algorithm = "nufft" if constant and N * L > _DIRECT_WORK and has_finufft() else "blocks"
    if algorithm == "nufft":
        values, absolute = nonuniform_product(rates, c, L, tolerance)
        error, kind = absolute * largest, "observed"
    else:
        rows, absolute = block_product(rates_table(rates), c[None, :], L)
        values = rows[0]
        error, kind = absolute * largest, "proved"
    scale = float(np.abs(values).max())
    return KernelValues(values, error / scale if scale else (0.0 if error == 0 else np.inf), algorithm, kind)


def _largest_sum(rates: ReducedRates, c: Array, L: int) -> float:
    """S = sum_j abs(c_j) max(1, e^(Re lambda_j dt (L-1))), rounded up."""
    with np.errstate(over="ignore"):
        growth = np.maximum(1.0, decays(rates, [L - 1])[0]) if len(c) else np.zeros(0)
        largest = float((np.abs(c) * growth).sum()) * (1 + 1e-9)
    if not largest < 2.0**900:
        raise InputError("the kernel grows beyond float64 within L lags; take fewer, or rates with real parts <= 0")
    return largest


def block_product(table: PowerTable, c: Array, L: int) -> tuple[Array, float]:
    """Sums Re sum_j c_j z_j^l for l < L as matrix products of two tables of powers.

    Parameters
    ----------
    table : callable
        (modes, stride, count) to the powers z_j^(stride i), i < count, of a slice of modes, shape (count, modes), and a
        bound on their relative error, such as `phases.power_table` gives.
    c : (R, N) ndarray of complex128
        A sum for each row.
    L : int

    Returns
    -------
    (R, L) ndarray of float64, and float
        The bound on the error, relative to S of `nonuniform_kernel`, that is derived there.
    """
    inner = 1 << ((L - 1).bit_length() + 1) // 2  # about sqrt(L)
    outer = -(-L // inner)
    values = np.zeros((len(c) * outer, inner))
    steps, table_error = 0, 0.0
    for first in range(0, c.shape[1], _MODES):
        part = slice(first, first + _MODES)
        left, left_error = table(part, inner, outer)
        right, right_error = table(part, 1, inner)
        with np.errstate(under="ignore"):
            left = (left * c[:, None, part]).reshape(len(values), -1)
            # Re(g h) = Re g Re h - Im g Im h, as one real product.
            values += np.concatenate([left.real, left.imag], 1) @ np.concatenate([right.real, -right.imag], 1).T
        steps += 1
        table_error = max(table_error, left_error + right_error)
    rounding = (2 * _MODES + steps + 1) * _U
    bound = 1.01 * (table_error + 4 * _U + rounding / (1 - rounding)) + 2.0**-1000
    return values.reshape(len(c), -1)[:, :L].copy(), bound


def rates_table(rates: ReducedRates) -> PowerTable:
    """Powers of e^(lambda_j dt), as `block_product` takes them."""
    return lambda part, stride, count: power_table(_part(rates, part), 0, stride, count)


def _part(rates: ReducedRates, part: slice) -> ReducedRates:
    exponents = (rates.exponents[0][part], rates.exponents[1][part])
    return ReducedRates(exponents, (rates.turns[0][part], rates.turns[1][part]), rates.turn_error)


def has_finufft() -> bool:
    """Whether the library of nonuniform FFTs is installed."""
    try:
        _finufft()
    except MissingDependencyError:
        return False
    return True


def _finufft() -> Any:
    try:
        import finufft
    except ImportError as error:
        raise MissingDependencyError(
            'the nonuniform FFT needs finufft: pip install "hippo_theory[fast]"; or take `algorithm` blocks'
        ) from error
    return finufft


def nonuniform_product(rates: ReducedRates, c: Array, L: int, tolerance: float) -> tuple[Array, float]:
    """e^(alpha dt l) times nonuniform FFTs of blocks centered at their middle lags; observed error relative to S."""
    finufft = _finufft()
    length = min(_BLOCK, max(2, 1 << (L - 1).bit_length()))
    blocks = -(-L // length)
    batch = min(blocks, max(1, _TABLE // len(c)))
    phases = rates.undamped()
    # One thread: on few points per block more of them only wait for each other.
    plan = finufft.Plan(1, (length,), n_trans=batch, eps=tolerance / 10, isign=1, nthreads=1)
    plan.setpts(2 * np.pi * rates.turns[0])
    values = np.empty((blocks, length))
    table_error = 0.0
    for first in range(0, blocks, batch):
        # The last batch may reach past the last block: plans have a fixed size.
        table, error = power_table(phases, first * length + length // 2, length, batch)
        table *= c
        values[first : first + batch] = plan.execute(table).reshape(batch, length).real[: blocks - first]
        table_error = max(table_error, error)
    limit = 10 * tolerance + _BLOCK / 2 * 8 * _U + table_error
    deviation = _deviation(phases, c, values.ravel()[:L], length)
    if not deviation <= limit:
        raise CertificationError(
            f"the nonuniform FFT is off by {deviation:.1e} of the sum of moduli, beyond {limit:.1e}; take `algorithm` blocks"
        )
    alone = _part(rates, slice(0, 1))
    damping = decays(alone, np.arange(blocks) * length) * decays(alone, np.arange(length))[:, 0]
    with np.errstate(under="ignore"):
        values *= damping
    return values.ravel()[:L].copy(), 10 * deviation + 100 * _U


def _deviation(phases: ReducedRates, c: Array, values: Array, length: int) -> float:
    """Largest distance from direct sums, at lags from all over the grid and from the ends of blocks, over sum abs(c_j).

    Both without the damping, so that every lag counts alike.
    """
    L = len(values)
    random = np.random.default_rng(L)
    cells = np.linspace(0, L, _CHECKED_LAGS + 1)
    inside = (cells[:-1] + random.random(_CHECKED_LAGS) * np.diff(cells)).astype(np.int64)
    ends = random.integers(0, -(-L // length), _CHECKED_LAGS) * length
    lags = np.concatenate([inside, ends])
    theta = angles(phases, lags)
    direct = (c.real * np.cos(theta) - c.imag * np.sin(theta)).sum(axis=1)
    return float(np.abs(values[lags] - direct).max()) / max(float(np.abs(c).sum()), 1e-300)
