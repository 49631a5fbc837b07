"""The kernel of S4: truncated generating function, Cauchy sums, Woodbury.

The system is x' = (diag(Lambda) - P Q*) x + B u, y = C x with r columns in P and Q, discretized by the bilinear rule:
Abar = (I - dt A/2)^-1 (I + dt A/2), Bbar = (I - dt A/2)^-1 dt B.

At the nodes z_k = e^(-(c + 2 pi i k)/L) the generating function of L lags is, with Ct = C (I - e^-c Abar^L),

    sum_l K_l z_k^l = Ct (I - z_k Abar)^-1 Bbar = e^h Ct [(2/dt) sinh(h) - cosh(h) A]^-1 B,   h = (c + 2 pi i k)/(2L).

Papers divide by cosh(h) and get 2/(1 + z) and (2/dt)(1 - z)/(1 + z), infinite at z = -1. Multiplied out nothing is: at
z = -1 (c = 0, L even) cosh(h) is exactly 0 and the term is dt Ct B / 2, the limit. cosh and sinh of h come from cosines
and sines of angles reduced exactly in integers, so no node is a power of another.
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

__all__ = [
    "cauchy_sums",
    "restored_output",
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
    check_values: bool = True,
) -> AnyArray:
    """The kernel K_l = C Abar^l Bbar, l = 0..L-1, of S4, from Ct = `truncated_output(C, Abar, L)`.

        Khat_k = e^h [k_CB - cosh(h) k_CP (I + cosh(h) k_QP)^-1 k_QB],  k_ab = sum_n a_n b_n/((2/dt) sinh h - cosh h Lambda_n)

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
        truncated_C). Half the divisions suffice; only the first half of each array is read.
    check_values : bool
        Whether NaN, infinity and nodes at eigenvalues are refused; False inside a compiler.

    Returns
    -------
    (L,) or (K, L) array
        Complex unless `real`.

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices, or a node at an eigenvalue.

    Notes
    -----
    O((r + 1) (r + K) N L + L log L) operations, memory O(N + K L): nodes are taken in groups of about L/N.
    Error, measured for LegS, LagT, LegT and FouT with N <= 64 and L <= 1001: with damping 1 at most
    (8 + L/4) eps |C|_2 |Bbar|_2, of which the powers in Ct are the larger part; with damping 0 times 1 + 1/(L dt), since Ct
    then cancels where Abar^L is near I. The worst found are 32 and 157 eps.
    Source: S4 (arXiv:2111.00396), Theorem 3 and Appendix C; the form without a pole at z = -1 and the damping: derived.

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
    given = {"Lambda": Lambda, "P": P, "Q": Q, "B": B, "truncated_C": truncated_C}
    kind, (Lambda, P, Q, B, Ct) = checked_arrays(check_values, **given)
    N, rank, outputs = checked_low_rank(Lambda, P, Q, B, Ct)
    L, step = checked_size("L", L, 1), checked_step(kind, dt, check_values)
    c = _checked_damping(damping)
    xp = kind.xp
    Lambda, P, Q, B, Ct = (kind.to_complex(array) for array in (Lambda, P, xp.conj(Q), B, Ct))
    left = xp.concat([xp.reshape(Ct, (-1, N)), xp.matrix_transpose(Q)], axis=0)  # (K + r, N): Ct, Q*
    right = xp.concat([B[:, None], P], axis=1)  # (N, 1 + r): B, P
    products = xp.reshape(left[:, None, :] * xp.matrix_transpose(right)[None, :, :], (-1, N))
    half = L // 2 + 1 if real else L
    sinh, cosh, exp = _hyperbolic(kind, c, L, half)
    if mirrored and not real:
        raise InputError("`mirrored` states make a real kernel; set `real=True` with it")
    sums = cauchy_sums(products, Lambda, sinh * (2 / step), cosh, mirrored=mirrored, check_values=check_values)
    sums = xp.permute_dims(xp.reshape(sums, (left.shape[0], 1 + rank, half)), (2, 0, 1))  # (nodes, K + r, 1 + r)
    rows = left.shape[0] - rank
    values = sums[:, :rows, 0]
    if rank:
        scale = cosh[:, None, None]
        system = xp.eye(rank, dtype=kind.complex, device=kind.device) + scale * sums[:, rows:, 1:]
        solved = xp.linalg.solve(system, scale * sums[:, rows:, :1])
        values = values - xp.matmul(sums[:, :rows, 1:], solved)[..., 0]
    values = xp.matrix_transpose(values * exp[:, None])
    kernel = xp.fft.irfft(values, n=L) if real else xp.fft.ifft(values)
    if c:
        kernel = kernel * kind.converted(xp.exp(kind.indices(L) * (c / L)))
    return xp.reshape(kernel, (*outputs, L))


def cauchy_sums(
    weights: AnyArray,
    poles: AnyArray,
    sigma: AnyArray,
    kappa: AnyArray,
    *,
    mirrored: bool = False,
    check_values: bool = True,
) -> AnyArray:
    """Cauchy sums in homogeneous form, which has no node at infinity:

        S_rk = sum_n w_rn / (sigma_k - kappa_k p_n).

    Parameters
    ----------
    weights : (R, N) array
    poles : (N,) array
    sigma, kappa : (L,) array
    mirrored : bool
        Column N-1-m of weights and poles is the conjugate of column m: then half the divisions suffice,

            w/(s - k p) + w'/(s - k p') = 2 (s Re w - k Re(w p')) / ((s - k p)(s - k p')),    ' the conjugate.
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
    N L reciprocals and 8 R N L operations, memory O(N + R L). Error at most (6 + N / 2) eps
    sum_n |w_rn| (|sigma_k| + |kappa_k p_n|) / |sigma_k - kappa_k p_n|^2.

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
    rows, numerators = int(weights.shape[0]), weights
    if mirrored:
        stored = (N + 1) // 2
        weights, poles = weights[:, :stored], poles[:stored]
        share = xp.full((stored,), 2.0, dtype=kind.real, device=kind.device)
        if N % 2:  # a real pole in the middle stands for itself
            share = xp.concat([share[:-1], share[-1:] / 2])
        along, across = xp.real(weights) * share, xp.real(weights * xp.conj(poles)) * share
        numerators = kind.to_complex(xp.concat([along, across], axis=0))
        squares = xp.real(poles) ** 2 + xp.imag(poles) ** 2
        shapes = kind.to_complex(xp.stack([xp.ones_like(squares), -2 * xp.real(poles), squares], axis=1))
    group = max(16, L // N)
    parts = []
    for start in range(0, L, group):
        nodes = slice(start, min(start + group, L))
        at, scale = sigma[nodes], kappa[nodes]
        if mirrored:
            # (s - k p)(s - k p') = s^2 - 2 s k Re p + k^2 |p|^2, as a product of thin matrices.
            divisors = xp.matmul(shapes, xp.stack([at * at, at * scale, scale * scale]))
        else:
            divisors = at[None, :] - poles[:, None] * scale[None, :]
        if check_values and bool(xp.any(divisors == 0)):
            raise InputError("a node sigma_k = kappa_k p_n is a pole; move the node (in `s4_kernel`: damping=1.0)")
        sums = xp.matmul(numerators, 1 / divisors)
        parts.append(at[None, :] * sums[:rows, :] - scale[None, :] * sums[rows:, :] if mirrored else sums)
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
    identity = xp.eye(N, dtype=dtype, device=kind.device)
    power = identity
    for bit in range(L.bit_length()):
        square = square @ square if bit else square
        power = power @ square if L >> bit & 1 else power
    return kind, C, rows, identity - math.exp(-c) * power


def _hyperbolic(kind: ArrayKind, c: float, L: int, count: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """sinh(h), cosh(h), e^h for h = (c + 2 pi i k)/(2L), k < count; cosh is exactly 0 at z = -1 if c = 0."""
    xp = kind.xp
    # sin and cos of pi k / L from an angle of at most pi/2, the cosine as the sine of (L - 2k) pi / (2L): each factor of
    # pi is an exact integer, so both are right to 2 eps and vanish exactly where they should.
    k = kind.indices(count)
    folded = xp.where(2 * k > L, L - k, k)
    sine, cosine = xp.sin(folded * (math.pi / L)), xp.sin((L - 2 * k) * (math.pi / (2 * L)))
    a = c / (2 * L)
    sinh = kind.to_complex(math.sinh(a) * cosine) + 1j * kind.to_complex(math.cosh(a) * sine)
    cosh = kind.to_complex(math.cosh(a) * cosine) + 1j * kind.to_complex(math.sinh(a) * sine)
    return sinh, cosh, math.exp(a) * (kind.to_complex(cosine) + 1j * kind.to_complex(sine))
