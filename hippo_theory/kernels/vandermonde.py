"""The kernel of a diagonal system, K_l = sum_n C_n Bbar_n Abar_n^l: the Vandermonde product, in memory O(N + L).

A lag is l = j m + i with m about sqrt(L). Two tables, Abar^(j m) and Abar^i, hold every power as one product, and their
matrix product is the kernel: only N (m + L/m) exponentials, the rest is one multiplication of matrices, done for as
many states at a time as keeps the tables within O(N + L) numbers.

Rounding. Let w be the largest value over the lags of sum_n |C_n Bbar_n| |Abar_n|^l, and eps the distance from 1 to the
next number. The exponential forms, given x = dt A, err by at most (c + max_n |x_n| l / 2 + N / 2) eps w: the product x_n l
is rounded to eps/2, and this turns the phase. So log10(|x_n| l) digits are lost whatever adds the terms up, unless
x_n l is formed or reduced modulo 2 pi in more digits (`wide`). The form with multipliers given errs by at most
(c + 2 l + N / 2) eps w: each squaring doubles the relative error. Against balls, for the starts of S4D with N <= 128,
l <= 1000 and steps from 1e-4 to 1, the errors found stay below a third of these bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hippo_theory.errors import InputError
from hippo_theory.kernels.arrays import (
    AnyArray,
    ArrayKind,
    checked_arrays,
    checked_lengths,
    checked_time_step,
    real_multiplicity,
)

__all__ = [
    "bilinear_logarithm",
    "cosine_kernel",
    "exponential_kernel",
    "exponential_sum",
    "s4d_kernel",
    "vandermonde_kernel",
    "zero_order_hold_gain",
]

_VANISHING = -1500.0  # twice a logarithm below that of every number of double precision

# Powers of some states: (slice of states, stride, count) -> z_n^(stride i), i < count, shape (..., states, count).
Powers = Callable[[slice, int, int], AnyArray]

# Below this modulus (e^x - 1)/x is its Taylor polynomial, whose derivative does not cancel either; the first term left
# out is 0.5^15 / 16! = 1.5e-18.
_TAYLOR_RADIUS, _TAYLOR_DEGREE = 0.5, 14


def vandermonde_kernel(
    C: AnyArray,
    Bbar: AnyArray,
    Abar: AnyArray,
    L: int,
    *,
    multiplicity: Sequence[int] | None = None,
    check_values: bool = True,
) -> AnyArray:
    """The kernel of a discrete diagonal system from its multipliers:

        K_l = sum_n C_n Bbar_n Abar_n^l,            l = 0..L-1,
        K_l = Re sum_n m_n C_n Bbar_n Abar_n^l      with multiplicities m.

    Parameters
    ----------
    C, Bbar, Abar : (..., N) array, real or complex
        Leading lengths broadcast.
    L : int
        Number of lags, at least 1.
    multiplicity : (N,) sequence of 1 and 2, optional
        2 for the stored member of a conjugate pair, 1 for a real state; makes the result real.
    check_values : bool
        Whether NaN and infinity are refused; False inside a compiler.

    Returns
    -------
    (..., L) array
        Real if all arguments are or `multiplicity` is given, else complex.

    Raises
    ------
    InputError
        Shapes, N = 0, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    Cost 2 N L operations in a matrix product (8 N L if the result is complex), memory O(N + L) for each leading index.
    Error at most (4 + 2 l + N / 2) eps max_l sum_n |C_n Bbar_n| |Abar_n|^l; the multipliers themselves, rounded, make
    an error of l eps / 2 that is not counted. Where dt A is known, `exponential_kernel` is more accurate.
    Source: S4D (arXiv:2206.11893), the Vandermonde product.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import vandermonde_kernel
    >>> vandermonde_kernel(np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.array([0.5, -1.0]), 3)
    array([ 3.  , -1.5 ,  2.25])
    """
    kind, (C, Bbar, Abar) = checked_arrays(check_values, C=C, Bbar=Bbar, Abar=Abar)
    N, L = checked_lengths(L, C=C, Bbar=Bbar, Abar=Abar)
    weights = _weights(kind, C * Bbar, multiplicity, N)
    return _table_product(kind, weights, _multiplier_powers(kind, Abar), N, L, multiplicity is not None)


def exponential_kernel(
    C: AnyArray,
    Bbar: AnyArray,
    x: AnyArray,
    L: int,
    *,
    multiplicity: Sequence[int] | None = None,
    wide: bool = False,
    check_values: bool = True,
) -> AnyArray:
    """The kernel of a discrete diagonal system from the logarithms x = dt A of its multipliers:

        K_l = sum_n C_n Bbar_n e^(x_n l),            l = 0..L-1   (m_n and Re as in `vandermonde_kernel`).

    Parameters
    ----------
    C, Bbar, x : (..., N) array, real or complex
        Leading lengths broadcast.
    L : int
    multiplicity : (N,) sequence of 1 and 2, optional
    wide : bool
        Compute the N (m + L/m) exponentials in float64 and round them to the precision of the result: the safe way in
        float32, where the phase of x_n l is lost once it reaches 10^7. Costs little; needs a library with float64.
    check_values : bool

    Returns
    -------
    (..., L) array

    Raises
    ------
    InputError
        Shapes, N = 0, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    Cost and memory as `vandermonde_kernel`. Error at most (4 + max_n |x_n| l / 2 + N / 2) eps times
    max_l sum_n |C_n Bbar_n e^(x_n l)|; with `wide` the middle term counts the eps of float64. x as given is taken as exact.
    Source: S4D (arXiv:2206.11893).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import exponential_kernel
    >>> quarter_turn = np.array([0.5j * np.pi])
    >>> exponential_kernel(np.ones(1), np.ones(1), quarter_turn, 3, multiplicity=[2]).round(12) + 0.0
    array([ 2.,  0., -2.])
    """
    kind, (C, Bbar, x) = checked_arrays(check_values, C=C, Bbar=Bbar, x=x)
    N, L = checked_lengths(L, C=C, Bbar=Bbar, x=x)
    weights = _weights(kind, C * Bbar, multiplicity, N)
    return exponential_sum(kind, weights, x, L, multiplicity is not None, wide)


def s4d_kernel(
    A: AnyArray,
    B: AnyArray,
    C: AnyArray,
    dt: Any,
    L: int,
    *,
    method: str = "zoh",
    multiplicity: Sequence[int] | None = None,
    wide: bool = False,
    check_values: bool = True,
) -> AnyArray:
    """The kernel of S4D, two lines: discretize x' = diag(A) x + B u, y = C x, and add up.

        zoh:       K_l = sum_n C_n B_n dt g(dt A_n) e^(dt A_n l),   g(x) = (e^x - 1)/x, g(0) = 1
        bilinear:  K_l = sum_n C_n B_n dt/(1 - x_n/2) ((1 + x_n/2)/(1 - x_n/2))^l,   x = dt A
        sampled:   K_l = sum_n C_n B_n dt e^(dt A_n l)

    Parameters
    ----------
    A, B, C : (..., N) array, real or complex
        Leading lengths broadcast; a stable A has negative real part, but any sign is computed.
    dt : float or (...) array
        Step, positive.
    L : int
    method : str
        zoh, bilinear or sampled.
    multiplicity : (N,) sequence of 1 and 2, optional
        As `HalfSystem.multiplicity`: makes the result real.
    wide : bool
        As in `exponential_kernel`; also takes the product dt A in float64.
    check_values : bool

    Returns
    -------
    (..., L) array
        Bbar holds the factor dt: divide by dt to approximate K(l dt).

    Raises
    ------
    InputError
        Shapes, N = 0, L = 0, dt <= 0, NaN, an unknown method, mixed libraries or devices.

    Notes
    -----
    Cost and memory as `vandermonde_kernel`. Error at most (8 + max_n |dt A_n| l + N / 2) eps times
    max_l sum_n |C_n Bbar_n| |Abar_n|^l: one half of the middle term comes from rounding dt A, which no summation can
    recover, and a third half is added where dt itself is rounded, to float32; bilinear with
    8 |log(+-Abar_n)| + |dt A_n| in its place, the sign that makes it smaller, and 3 if A is real. With zoh the rounding
    of dt A adds 2 eps dt max_l sum_n |C_n B_n| |Abar_n|^(l+1), which is more than that where dt A is near 2 pi i k and
    g nearly vanishes. No digits are lost at A near 0.
    Source: S4D (arXiv:2206.11893), the two-line kernel; DSS (arXiv:2203.14343) for zoh.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.initializations import s4d_lin
    >>> from hippo_theory.kernels import s4d_kernel
    >>> start = s4d_lin(4)
    >>> K = s4d_kernel(start.Lambda, start.B, np.ones(2), 0.01, 5, multiplicity=start.multiplicity)
    >>> K.dtype, K.shape, round(float(K[0]), 6)
    (dtype('float64'), (5,), 0.039897)
    """
    kind, (A, B, C) = checked_arrays(check_values, A=A, B=B, C=C)
    if method not in ("zoh", "bilinear", "sampled"):
        raise InputError(f"unknown method {method!r}; choose one of zoh, bilinear, sampled")
    N, L = checked_lengths(L, A=A, B=B, C=C)
    precise = kind.widened() if wide else kind
    step = checked_time_step(precise, dt, check_values)
    x, flipped = precise.converted(A) * precise.converted(step), None
    if method == "bilinear":
        gain = step / (1 - x / 2)
        if not kind.has_complex(x):  # multipliers of either sign: their logarithms would be complex
            weights = _weights(kind, kind.converted(gain) * B * C, multiplicity, N)
            powers = _multiplier_powers(kind, kind.converted((1 + x / 2) / (1 - x / 2)))
            return _table_product(kind, weights, powers, N, L, multiplicity is not None)
        x, flipped = bilinear_logarithm(precise, x)
    else:
        gain = zero_order_hold_gain(precise, x) * step if method == "zoh" else step
    weights = _weights(kind, kind.converted(gain) * B * C, multiplicity, N)
    return exponential_sum(kind, weights, x, L, multiplicity is not None, wide, flipped)


def cosine_kernel(
    decay: AnyArray, frequency: AnyArray, cosine: AnyArray, sine: AnyArray, L: int, *, check_values: bool = True
) -> AnyArray:
    """The kernel of conjugate pairs in real arithmetic, for compilers that do not fuse complex numbers:

        K_l = sum_n e^(a_n l) (p_n cos(w_n l) - q_n sin(w_n l)),            l = 0..L-1,

    that is `exponential_kernel` with x = a + i w and m C Bbar = p + i q.

    Parameters
    ----------
    decay, frequency, cosine, sine : (..., N) array of float32 or float64
        a, w, p, q; leading lengths broadcast.
    L : int
    check_values : bool
        False inside a compiler.

    Returns
    -------
    (..., L) array, real

    Raises
    ------
    InputError
        Shapes, N = 0, L = 0, NaN, complex arrays, mixed libraries or devices.

    Notes
    -----
    Cost 4 N L operations in one real matrix product, memory O(N + L); error as `exponential_kernel`. Observed with
    torch.compile (2.13, 2 CPU cores, 64 times 32 states, L = 4096, float32): 1.4 ms, where the complex form takes 23 ms
    compiled (its complex operations stay unfused); 27 ms and 153 ms without the compiler.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import cosine_kernel
    >>> one = np.ones(1)
    >>> cosine_kernel(0 * one, np.pi * one, one, 0 * one, 4)
    array([ 1., -1.,  1., -1.])
    """
    given = {"decay": decay, "frequency": frequency, "cosine": cosine, "sine": sine}
    kind, (decay, frequency, cosine, sine) = checked_arrays(check_values, **given)
    if kind.is_complex:
        raise InputError("`decay`, `frequency`, `cosine` and `sine` must be real; use `exponential_kernel`")
    N, L = checked_lengths(L, decay=decay, frequency=frequency, cosine=cosine, sine=sine)
    xp = kind.xp

    def factors(states: slice, small: int, large: int) -> tuple[AnyArray, AnyArray]:
        near, far = kind.indices(small), kind.indices(large) * float(small)
        a, w, p, q = (array[..., states, None] for array in (decay, frequency, cosine, sine))
        cos, sin = xp.cos(w * far), xp.sin(w * far)
        left = xp.exp(a * far)
        left = xp.concat([left * (p * cos - q * sin), -left * (p * sin + q * cos)], axis=-2)
        right = xp.exp(a * near)
        return left, xp.concat([right * xp.cos(w * near), right * xp.sin(w * near)], axis=-2)

    return _summed_blocks(kind, factors, N, L)


# --- the parts ----------------------------------------------------------------------------------------------------------


def exponential_sum(
    kind: ArrayKind,
    weights: AnyArray,
    x: AnyArray,
    L: int,
    real: bool,
    wide: bool,
    flipped: AnyArray | None = None,
) -> AnyArray:
    """sum_n weights_n e^(x_n l), or (-1)^l of it where `flipped`, (..., L), or its real part.

    The body of the exponential forms, after their checks.
    """
    precise = kind.widened() if wide else kind
    x = precise.converted(x)

    def powers(states: slice, stride: int, count: int) -> AnyArray:
        exponents = x[..., states, None] * (precise.indices(count) * float(stride))
        table = kind.converted(kind.xp.exp(exponents))
        if flipped is None or stride % 2 == 0:
            return table
        odd = kind.indices(count) % 2 == 1
        return kind.xp.where(flipped[..., states, None] & odd, -table, table)

    return _table_product(kind, weights, powers, x.shape[-1], L, real)


def bilinear_logarithm(kind: ArrayKind, x: AnyArray) -> tuple[AnyArray, AnyArray]:
    """y and whether mu = -e^y instead of e^y, for mu = (1 + x/2)/(1 - x/2); y is complex and right to 6 eps of its modulus.

    Where abs(x) > 2, mu is near -1 and -mu = (1 + 2/x)/(1 - 2/x) takes its place: powers of mu then lose no more digits
    than those of multipliers near 1. With w = x/2 or 2/x = a + ib:

        Re y = log(1 + q)/2,  q = 4 a/((1 - a)^2 + b^2),      Im y = atan2(2 b, (1 - a)(1 + a) - b^2).

    Where abs(q) >= 1/2, x/2 = a + ib always: 1 + 2/x near 0 would have lost the digits of 2/x. There 1 + q is the quotient
    of (1 + a)^2 + b^2, and where abs(x) > 2 both arguments of atan2 change their signs. At mu = 0 (x = -2) the real part
    is -750, so that every power underflows but the first.
    """
    xp = kind.xp
    half = kind.to_complex(x) / 2
    flipped = xp.abs(half) > 1
    w = xp.where(flipped, 1 / xp.where(flipped, half, xp.ones_like(half)), half)
    a, b = xp.real(w), xp.imag(w)
    ratio = 4 * a / ((1 - a) * (1 - a) + b * b)
    near_one = xp.abs(ratio) < 0.5
    point = xp.where(near_one, w, half)
    a, b = xp.real(point), xp.imag(point)
    below, above = (1 - a) * (1 - a) + b * b, (1 + a) * (1 + a) + b * b
    quotient = xp.where(near_one | (above == 0), xp.ones_like(below), above / below)
    real = xp.where(near_one, xp.log1p(xp.where(near_one, ratio, xp.zeros_like(ratio))), xp.log(quotient))
    real = xp.where(above == 0, xp.full_like(real, _VANISHING), real)
    sine, cosine = 2 * b, (1 - a) * (1 + a) - b * b
    turned = flipped & ~near_one
    imaginary = xp.atan2(xp.where(turned, -sine, sine), xp.where(turned, -cosine, cosine))
    return kind.to_complex(real / 2) + 1j * kind.to_complex(imaginary), flipped


def zero_order_hold_gain(kind: ArrayKind, x: AnyArray) -> AnyArray:
    """(e^x - 1)/x with g(0) = 1, to 4 eps of its modulus for Re x <= 1, and a derivative that does not cancel.

    Real and imaginary parts of e^(a + ib) - 1 are expm1(a) cos b - 2 sin(b/2)^2 and e^a sin b.
    """
    xp = kind.xp
    near_zero = xp.abs(x) < _TAYLOR_RADIUS
    small = xp.where(near_zero, x, xp.zeros_like(x))
    large = xp.where(near_zero, xp.ones_like(x), x)
    polynomial = xp.ones_like(x)
    for divisor in range(_TAYLOR_DEGREE + 1, 1, -1):
        polynomial = 1 + small * polynomial / divisor
    if not kind.has_complex(x):
        return xp.where(near_zero, polynomial, xp.expm1(large) / large)
    a, b = xp.real(large), xp.imag(large)
    half = xp.sin(b / 2)
    real, imaginary = xp.expm1(a) * xp.cos(b) - 2 * half * half, xp.exp(a) * xp.sin(b)
    return xp.where(near_zero, polynomial, (kind.to_complex(real) + 1j * kind.to_complex(imaginary)) / large)


def _weights(kind: ArrayKind, product: AnyArray, multiplicity: Sequence[int] | None, N: int) -> AnyArray:
    """C Bbar, times the multiplicities if there are any."""
    return product if multiplicity is None else product * kind.converted(real_multiplicity(kind, multiplicity, N))


def _multiplier_powers(kind: ArrayKind, multipliers: AnyArray) -> Powers:
    """Powers by squaring: a table is doubled by multiplying it by the power that follows its last."""

    def powers(states: slice, stride: int, count: int) -> AnyArray:
        base = multipliers[..., states, None]
        for _ in range(stride.bit_length() - 1):  # strides are powers of two
            base = base * base
        table = kind.xp.ones_like(base)
        while table.shape[-1] < count:
            base = base if table.shape[-1] == 1 else base * base
            table = kind.xp.concat([table, table * base], axis=-1)
        return table[..., :count]

    return powers


def _table_product(kind: ArrayKind, weights: AnyArray, powers: Powers, N: int, L: int, real: bool) -> AnyArray:
    """sum_n weights_n z_n^l for l = 0..L-1, or its real part, from two tables of powers."""
    xp = kind.xp

    def factors(states: slice, small: int, large: int) -> tuple[AnyArray, AnyArray]:
        left, right = weights[..., states, None] * powers(states, small, large), powers(states, 1, small)
        if real and (kind.has_complex(left) or kind.has_complex(right)):
            left, right = kind.to_complex(left), kind.to_complex(right)
            left = xp.concat([xp.real(left), -xp.imag(left)], axis=-2)
            return left, xp.concat([xp.real(right), xp.imag(right)], axis=-2)
        if kind.has_complex(left) != kind.has_complex(right):
            return kind.to_complex(left), kind.to_complex(right)
        return left, right

    return _summed_blocks(kind, factors, N, L)


def _summed_blocks(
    kind: ArrayKind, factors: Callable[[slice, int, int], tuple[AnyArray, AnyArray]], N: int, L: int
) -> AnyArray:
    """The kernel from its factors (..., states, J) and (..., states, m), by blocks of states, so that they fit O(N + L)."""
    xp = kind.xp
    small = 1 << ((L - 1).bit_length() + 1) // 2
    large = -(-L // small)
    block = max(1, (N + L) // (small + large))
    total = None
    for start in range(0, N, block):
        left, right = factors(slice(start, min(start + block, N)), small, large)
        part = xp.matmul(xp.matrix_transpose(left), right)
        total = part if total is None else total + part
    assert total is not None
    return xp.reshape(total, (*total.shape[:-2], large * small))[..., :L]
