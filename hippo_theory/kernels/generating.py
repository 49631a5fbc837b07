"""The kernel of S4: truncated generating function, Cauchy sums by Vandermonde products and FFTs, Woodbury.

The system is x' = (diag(Lambda) - P Q*) x + B u, y = C x with r columns in P and Q, discretized by the bilinear rule:
Abar = (I - dt A/2)^-1 (I + dt A/2), Bbar = (I - dt A/2)^-1 dt B.

At the nodes z_k = e^(-(c + 2 pi i k)/L) the generating function of L lags is, with Ct = C (I - e^-c Abar^L),

    sum_l K_l z_k^l = Ct (I - z_k Abar)^-1 Bbar = e^h Ct [(2/dt) sinh(h) - cosh(h) A]^-1 B,   h = (c + 2 pi i k)/(2L).

Papers divide by cosh(h) and get 2/(1 + z) and (2/dt)(1 - z)/(1 + z), infinite at z = -1. Multiplied out nothing is: at
z = -1 (c = 0, L even) cosh(h) is exactly 0 and the term is dt Ct B / 2, the limit.
"""

from __future__ import annotations

import math
from typing import Any

from hippo_theory.errors import InputError, checked_size
from hippo_theory.kernels.arrays import (
    AnyArray,
    ArrayKind,
    checked_arrays,
    checked_shape,
    one_or_many_outputs,
)
from hippo_theory.kernels.low_rank import checked_low_rank, checked_step
from hippo_theory.kernels.vandermonde import bilinear_logarithm, exponential_sum, zero_order_hold_gain

__all__ = [
    "cauchy_sums",
    "restored_output",
    "root_sums",
    "s4_kernel",
    "truncated_output",
]


def s4_kernel(
    Lambda: AnyArray,
    P: AnyArray,
    Q: AnyArray,
    B: AnyArray,
    truncated_C: AnyArray,
    dt: Any,
    L: int,
    *,
    damping: float = 0.0,
    real: bool = False,
    mirrored: bool = False,
    direct: bool = False,
    wide: bool = False,
    check_values: bool = True,
) -> AnyArray:
    """The kernel K_l = C Abar^l Bbar, l = 0..L-1, of S4, from Ct = `truncated_output(C, Abar, L)`.

        Khat_k = T_CB - (1 + z_k)/2 T_CP (I + (1 + z_k)/2 T_QP)^-1 T_QB,    T_ab = `root_sums` of a_n b_n,

    where C stands for Ct and Q for conj(Q); K = inverse FFT of Khat. Any rank r >= 0, L even or odd.

    Parameters
    ----------
    Lambda, B : (N,) array
        All N eigenvalues of the normal part, not conjugate halves.
    P, Q : (N, r) array
    truncated_C : (N,) or (K, N) array
        Ct = C (I - e^-damping Abar^L).
    dt : float or () array
    L : int
    damping : float
        c >= 0. With 0 the nodes are the L-th roots of unity, as in the papers. Where eigenvalues of the normal part lie
        on the imaginary axis (LagT, LegT, FouT) nodes can hit or nearly hit them, although A is stable; with 1 the
        nodes keep off, at the price of a factor e in the error.
    real : bool
        The kernel is known to be real: half the nodes suffice and the result is real.
    mirrored : bool
        With `real`: state N-1-m is the conjugate of state m, as `normal_plus_low_rank` orders them (in Lambda, B, P, Q and
        truncated_C). The Cauchy sums are real sequences then; only the first half of each array is read.
    direct : bool
        Take the sums one by one with `cauchy_sums`, as the papers do: about ten times slower, but a node near an
        eigenvalue then costs digits at that node only. For a Ct that was stored for damping 0 and stiff modes.
    wide : bool
        As in `root_sums`: the powers in float64, for arrays in float32.
    check_values : bool
        Whether NaN, infinity, nodes at eigenvalues and growth are refused; False inside a compiler.

    Returns
    -------
    (L,) or (K, L) array
        Complex unless `real`.

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices, a node at an eigenvalue, or eigenvalues of the normal
        part that grow over L lags.

    Notes
    -----
    O((r + 1) (r + K) (N L + L log L)) operations, the first term in matrix products; memory O(N + (r + 1) (r + K) L).
    Error, measured for LegS, LagT, LegT and FouT with N <= 64 and L <= 2000: with damping 1 at most
    (8 + L/2) eps |C|_2 |Bbar|_2, of which the powers in Ct are the larger part; with damping 0 times
    1 + 1/min_n abs(1 - mu_n^L): a node near an eigenvalue of the normal part costs digits (for LegS with dt N^2 < 1 that
    factor is about 1 + 2/(L dt)). Found for LegS, N = 1024, dt = 1/1024, L = 1024: 4e-14 of the largest value with damping
    1, 4e-10 without, 2e-14 without but `direct`.
    Source: S4 (arXiv:2111.00396), Theorem 3 and Appendix C; the form without a pole at z = -1, the damping and the sums
    by FFT: derived.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import bilinear_low_rank, recurrence_kernel, s4_kernel, truncated_output
    >>> Lambda, P, B, C = np.array([-1.0, -2.0]), np.array([[1.0], [1.0]]), np.array([1.0, 0.0]), np.array([1.0, 1.0])
    >>> Abar, Bbar = bilinear_low_rank(Lambda, P, P, B, 0.1)
    >>> K = s4_kernel(Lambda, P, P, B, truncated_output(C, Abar, 4), 0.1, 4, real=True)
    >>> bool(abs(K - recurrence_kernel(Abar, Bbar, C, 4)).max() < 1e-15)
    True
    """
    if mirrored and not real:
        raise InputError("`mirrored` states make a real kernel; set `real=True` with it")
    given = {"Lambda": Lambda, "P": P, "Q": Q, "B": B, "truncated_C": truncated_C}
    kind, (Lambda, P, Q, B, Ct) = checked_arrays(check_values, **given)
    N, rank, outputs = checked_low_rank(Lambda, P, Q, B, Ct)
    L, c = checked_size("L", L, 1), _checked_damping(damping)
    xp = kind.xp
    P, Q, B, Ct = (kind.to_complex(array) for array in (P, kind.conjugate(Q), B, Ct))
    left = xp.concat([xp.reshape(Ct, (-1, N)), xp.matrix_transpose(Q)], axis=0)  # (K + r, N): Ct, Q*
    right = xp.concat([B[:, None], P], axis=1)  # (N, 1 + r): B, P
    products = left[:, None, :] * xp.matrix_transpose(right)[None, :, :]
    rows, nodes = left.shape[0] - rank, L // 2 + 1 if real else L
    if direct:
        sums = _sums_at_nodes(kind, products, Lambda, checked_step(kind, dt, check_values), L, c, nodes, check_values)
    else:
        sums = root_sums(products, Lambda, dt, L, damping=c, mirrored=mirrored, wide=wide, check_values=check_values)
    sums = sums[..., :nodes]  # (K + r, 1 + r, nodes)
    values = sums[:rows, 0, :]
    if rank:
        share = _half_of_one_plus_node(kind, c, L, nodes)
        outer, inner, last = sums[:rows, 1:, :], share * sums[rows:, 1:, :], share * sums[rows:, 0, :]
        if rank == 1:  # a division for every node, not a call of the solver
            values = values - outer[:, 0, :] * (last / (1 + inner[:, 0, :]))
        else:
            system = xp.eye(rank, dtype=kind.complex, device=kind.device) + xp.permute_dims(inner, (2, 0, 1))
            solved = xp.linalg.solve(system, xp.matrix_transpose(last)[..., None])[..., 0]  # (nodes, r)
            values = values - xp.sum(outer * xp.matrix_transpose(solved)[None, :, :], axis=1)
    kernel = xp.fft.irfft(values, n=L) if real else xp.fft.ifft(values)
    if c:
        kernel = kernel * kind.converted(xp.exp(kind.indices(L) * (c / L)))
    return xp.reshape(kernel, (*outputs, L))


def root_sums(
    weights: AnyArray,
    poles: AnyArray,
    dt: Any,
    L: int,
    *,
    damping: float = 0.0,
    mirrored: bool = False,
    wide: bool = False,
    check_values: bool = True,
) -> AnyArray:
    """The Cauchy sums of S4 at the nodes z_k = e^(-(c + 2 pi i k)/L), without a division for each node and pole:

        T_k = sum_n w_n dt/(1 - x_n) / (1 - z_k mu_n),   x_n = dt p_n / 2,   mu_n = (1 + x_n)/(1 - x_n),
            = sum_l e^(-2 pi i k l / L) sum_n g_n nu_n^l,  l = 0..L-1,   nu = e^(-c/L) mu,   g_n = w_n dt/((1 - x_n)(1 - nu_n^L)),

    since z_k^L = e^-c for every k: a Vandermonde product and one FFT. e^-h T_k are the sums
    w_n / ((2/dt) sinh h - cosh h p_n), h = (c + 2 pi i k)/(2L), which `cauchy_sums` forms one by one.

    Parameters
    ----------
    weights : (..., N) array
    poles : (N,) array
    dt : float or () array
    L : int
    damping : float
        c, from 0 to 100.
    mirrored : bool
        Column N-1-m of weights and poles is the conjugate of column m: the inner sums are real.
    wide : bool
        Take the O(N sqrt(L)) powers in float64, and round them: the safe way in float32. Needs a library with float64.
    check_values : bool

    Returns
    -------
    (..., L) array, complex; (..., L // 2 + 1) if `mirrored`, the others being conjugates

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices; a node at a pole (nu_n^L = 1), a pole at 2/dt, or growth,
        abs(nu_n^L) > e: then raise `damping`.

    Notes
    -----
    2 N L operations for each row of weights (8 N L unless mirrored), in matrix products, and one FFT; memory
    O(N + L) for each row. Error of the inner sequences at most (16 + 8 max_n abs(log(+-nu_n)) L + N/2) eps times
    sum_n abs(g_n nu_n^l); that of the nodes is its transform. With `wide` the middle term counts the eps of float64.
    Source: derived; the sums are those of S4 (arXiv:2111.00396), Appendix C.3.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import root_sums
    >>> z = np.exp(-2j * np.pi * np.arange(5) / 5)
    >>> sums = root_sums(np.array([2.0]), np.array([-2.0]), 0.5, 5)  # x = -1/2, mu = 1/3
    >>> bool(abs(sums - (2 * 0.5 / 1.5) / (1 - z / 3)).max() < 1e-15)
    True
    """
    kind, (weights, poles) = checked_arrays(check_values, weights=weights, poles=poles)
    checked_shape("poles", poles, None)
    N, L, c = int(poles.shape[0]), checked_size("L", L, 1), _checked_damping(damping)
    if weights.ndim == 0 or weights.shape[-1] != N:
        raise InputError(f"`weights` must have the shape (..., {N}), got {tuple(weights.shape)}; one for each pole")
    xp, precise = kind.xp, kind.widened() if wide else kind
    step = checked_step(precise, dt, check_values)
    if mirrored:
        stored = (N + 1) // 2
        weights, poles = weights[..., :stored], poles[:stored]
        counts = xp.full((stored,), 2.0, dtype=kind.real, device=kind.device)
        if N % 2:  # a real pole in the middle stands for itself
            counts = xp.concat([counts[:-1], counts[-1:] / 2])
        weights = weights * kind.to_complex(counts)
    x = precise.to_complex(poles) * (step / 2)
    if check_values and bool(xp.any(x == 1)):
        raise InputError("a pole is 2/dt, where the bilinear rule has no value; take another `dt`")
    logarithms, flipped = bilinear_logarithm(precise, 2 * x)
    logarithms = logarithms - c / L
    over_all = logarithms * L
    if check_values and not bool(xp.all(xp.real(over_all) <= 1)):
        raise InputError(
            "a pole grows over L lags; take poles with real part <= 0, a smaller L dt, or a larger `damping`"
        )
    gap = -over_all * zero_order_hold_gain(precise, over_all)  # 1 - nu^L
    if L % 2:
        gap = xp.where(flipped, 1 + xp.exp(over_all), gap)
    if check_values and bool(xp.any(gap == 0)):
        raise InputError("a node is a pole (e^-damping mu^L = 1); move the nodes with damping=1.0")
    weights = kind.to_complex(weights) * kind.converted(step / ((1 - x) * gap))
    sequences = exponential_sum(kind, weights, logarithms, L, mirrored, wide, flipped)
    return xp.fft.rfft(sequences) if mirrored else xp.fft.fft(sequences)


def cauchy_sums(
    weights: AnyArray, poles: AnyArray, sigma: AnyArray, kappa: AnyArray, *, check_values: bool = True
) -> AnyArray:
    """Cauchy sums at any nodes, in homogeneous form, which has no node at infinity:

        S_rk = sum_n w_rn / (sigma_k - kappa_k p_n).

    Parameters
    ----------
    weights : (R, N) array
    poles : (N,) array
    sigma, kappa : (L,) array
    check_values : bool

    Returns
    -------
    (R, L) array, complex

    Raises
    ------
    InputError
        Shapes, NaN, mixed libraries or devices, or sigma_k = kappa_k p_n for some k and n.

    Notes
    -----
    N L reciprocals and 8 R N L operations, memory O(N + R L); at the nodes of S4 `root_sums` needs no reciprocals. Error
    at most (6 + N / 2) eps sum_n |w_rn| (|sigma_k| + |kappa_k p_n|) / |sigma_k - kappa_k p_n|^2.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import cauchy_sums
    >>> cauchy_sums(np.ones((1, 2)), np.array([-1.0, -2.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])).real
    array([[1.5, 2. ]])
    """
    given = {"weights": weights, "poles": poles, "sigma": sigma, "kappa": kappa}
    kind, (weights, poles, sigma, kappa) = checked_arrays(check_values, **given)
    checked_shape("poles", poles, None)
    checked_shape("weights", weights, None, poles.shape[0])
    checked_shape("sigma", sigma, None)
    checked_shape("kappa", kappa, sigma.shape[0])
    xp, N, L = kind.xp, int(poles.shape[0]), int(sigma.shape[0])
    weights, poles, sigma, kappa = (kind.to_complex(array) for array in (weights, poles, sigma, kappa))
    group = max(16, L // N)
    parts = []
    for start in range(0, L, group):
        nodes = slice(start, min(start + group, L))
        divisors = sigma[None, nodes] - poles[:, None] * kappa[None, nodes]
        if check_values and bool(xp.any(divisors == 0)):
            raise InputError("a node sigma_k = kappa_k p_n is a pole; move the node")
        parts.append(xp.matmul(weights, 1 / divisors))
    return xp.concat(parts, axis=1)


def truncated_output(
    C: AnyArray, Abar: AnyArray, L: int, *, damping: float = 0.0, check_values: bool = True
) -> AnyArray:
    """Ct = C (I - e^-damping Abar^L), which makes the generating function of L lags a resolvent.

    Parameters
    ----------
    C : (N,) or (K, N) array
    Abar : (N, N) array
    L : int
    damping : float
    check_values : bool

    Returns
    -------
    array of the shape of C

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    O(N^3 log L) by repeated squaring; error about 2 L N eps |C|_2 where |Abar|_2 <= 1 (as `krylov_kernel`).
    Source: S4 (arXiv:2111.00396), Lemma C.1.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import truncated_output
    >>> truncated_output(np.array([1.0]), np.array([[0.5]]), 2)
    array([0.75])
    """
    kind, C, rows, matrix = _power_gap(C, Abar, L, damping, check_values)
    return kind.xp.reshape(kind.xp.matmul(rows, matrix), C.shape)


def restored_output(
    truncated_C: AnyArray, Abar: AnyArray, L: int, *, damping: float = 0.0, check_values: bool = True
) -> AnyArray:
    """C = Ct (I - e^-damping Abar^L)^-1: back from `truncated_output`.

    Parameters
    ----------
    truncated_C : (N,) or (K, N) array
    Abar : (N, N) array
        Without an eigenvalue whose L-th power is e^damping: stable is enough.
    L : int
    damping : float
    check_values : bool

    Returns
    -------
    array of the shape of truncated_C

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    O(N^3 log L). The error of `truncated_output` grows by the condition number of I - e^-damping Abar^L, which is about
    1/(L dt) for short kernels of slow systems.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import restored_output
    >>> restored_output(np.array([0.75]), np.array([[0.5]]), 2)
    array([1.])
    """
    kind, C, rows, matrix = _power_gap(truncated_C, Abar, L, damping, check_values)
    xp = kind.xp
    solved = xp.linalg.solve(xp.matrix_transpose(matrix), xp.matrix_transpose(rows))
    return xp.reshape(xp.matrix_transpose(solved), C.shape)


# --- the parts ----------------------------------------------------------------------------------------------------------


def _checked_damping(damping: Any) -> float:
    value = float(damping)
    if not 0 <= value <= 100:
        raise InputError(f"`damping` must lie between 0 and 100, got {damping}; 1 is enough")
    return value


def _power_gap(
    C: AnyArray, Abar: AnyArray, L: int, damping: float, check_values: bool
) -> tuple[ArrayKind, AnyArray, AnyArray, AnyArray]:
    """The kind, C, C as rows (K, N), and I - e^-damping Abar^L."""
    kind, (C, Abar) = checked_arrays(check_values, C=C, Abar=Abar)
    checked_shape("Abar", Abar, None, int(Abar.shape[-1]) if Abar.ndim else 0)
    checked_shape("Abar", Abar, int(Abar.shape[0]), int(Abar.shape[0]))
    N, L, c = int(Abar.shape[0]), checked_size("L", L, 1), _checked_damping(damping)
    one_or_many_outputs(C, N)
    xp = kind.xp
    dtype = kind.complex if kind.is_complex else kind.real
    square, rows = xp.astype(Abar, dtype, copy=False), xp.reshape(xp.astype(C, dtype, copy=False), (-1, N))
    power: AnyArray = None  # until the lowest bit of L, which is at least 1
    for bit in range(L.bit_length()):
        square = square @ square if bit else square
        if L >> bit & 1:
            power = square if power is None else power @ square
    return kind, C, rows, xp.eye(N, dtype=dtype, device=kind.device) - math.exp(-c) * power


def _sums_at_nodes(
    kind: ArrayKind,
    products: AnyArray,
    poles: AnyArray,
    step: AnyArray,
    L: int,
    c: float,
    count: int,
    check_values: bool,
) -> AnyArray:
    """e^h sum_n w_n / ((2/dt) sinh h - cosh h p_n) one by one, which `root_sums` forms by FFT."""
    sinh, cosh, exp = _hyperbolic(kind, c, L, count)
    N = poles.shape[0]
    flat = kind.xp.reshape(products, (-1, N))
    sums = exp * cauchy_sums(flat, poles, sinh * (2 / step), cosh, check_values=check_values)
    return kind.xp.reshape(sums, (*products.shape[:-1], count))


def _hyperbolic(kind: ArrayKind, c: float, L: int, count: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """sinh(h), cosh(h), e^h for h = (c + 2 pi i k)/(2L), k < count; cosh is exactly 0 at z = -1 if c = 0."""
    xp = kind.xp
    # The cosine of pi k / L as the sine of (L - 2k) pi / (2L), an exact integer times pi: right to 2 eps, and exactly 0
    # where it should vanish.
    k = kind.indices(count)
    a, folded = c / (2 * L), xp.where(2 * k > L, L - k, k)
    sine, cosine = xp.sin(folded * (math.pi / L)), xp.sin((L - 2 * k) * (math.pi / (2 * L)))
    sinh = kind.to_complex(math.sinh(a) * cosine) + 1j * kind.to_complex(math.cosh(a) * sine)
    cosh = kind.to_complex(math.cosh(a) * cosine) + 1j * kind.to_complex(math.sinh(a) * sine)
    return sinh, cosh, math.exp(a) * (kind.to_complex(cosine) + 1j * kind.to_complex(sine))


def _half_of_one_plus_node(kind: ArrayKind, c: float, L: int, count: int) -> AnyArray:
    """(1 + z_k)/2 = e^-h cosh(h), k < count; exactly 0 at z = -1 (c = 0, L = 2k)."""
    _, cosh, exp = _hyperbolic(kind, c, L, count)
    return cosh / exp
