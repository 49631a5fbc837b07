"""All kernel algorithms pairwise and against certified values over the whole range of sizes, lengths, steps and starts."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.discretizations import discretize, discretize_system
from hippo_theory.families import make_family
from hippo_theory.initializations import INITIALIZATIONS, initialization
from hippo_theory.kernels import (
    ExponentialSum,
    bilinear_low_rank,
    exponential_kernel,
    krylov_kernel,
    low_rank_recurrence,
    nonuniform_kernel,
    recurrence_kernel,
    s4_kernel,
    s4d_kernel,
    scan_outputs,
    truncated_output,
    vandermonde_kernel,
)
from hippo_theory.systems import HalfSystem

EPS = 2.0**-52
RING = balls(192)
SIZES = (1, 2, 3, 7, 16, 63, 64, 255, 256, 511, 512)
LENGTHS = (1, 2, 3, 64, 1023, 4096, 65_535, 65_536)
STEPS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
DIAGONAL = tuple(id for id in INITIALIZATIONS if id.startswith("s4d") or id in ("dss", "s5", "mamba-real", "mamba2"))
LOW_RANK = ("legs", "legt", "lagt", "fout", "fourier-decay")
# A loop over lags, or a matrix of the size of the state, is run where it is affordable.
LONGEST_LOOP, LARGEST_MATRIX = 4096, 64


def start_of(id, N):
    """Rates, inputs and multiplicities of a start, or None for a size that it does not admit."""
    options = {"rng": np.random.default_rng(N)} if INITIALIZATIONS[id].is_random else {}
    try:
        system = initialization(id, N, **options)
    except ValueError:  # odd sizes of starts that pair their states
        return None
    counts = system.multiplicity if isinstance(system, HalfSystem) else np.ones(len(system.Lambda), int)
    return system.Lambda + 0j, np.asarray(system.B + 0j).reshape(len(system.Lambda), -1)[:, 0], counts


def truth_at(rates, weights, counts, method, dt, lags):
    """The kernel of the float parameters at some lags, certified, as floats."""
    with RING.work():

        def ball(value):
            return acb(value.real, value.imag)

        pairs, singles = np.flatnonzero(counts == 2), np.flatnonzero(counts == 1)
        kernel = ExponentialSum(
            np.array([arb(weights[n].real) for n in singles], dtype=object),
            np.array([arb(rates[n].real) for n in singles], dtype=object),
            np.array([ball(weights[n]) for n in pairs], dtype=object),
            np.array([ball(rates[n]) for n in pairs], dtype=object),
            RING.bits,
        )
        discrete = discretize(kernel, method, Fraction(dt))
        return np.array([float((discrete(int(lag)) * arb(dt)).mid()) for lag in lags])


def modal_kernels(rates, B, C, counts, method, dt, L):
    """(algorithm, kernel, bound over eps and the sum of moduli) for every algorithm that takes these sizes."""
    x, n = rates * dt, len(rates)
    size = float(np.abs(x).max())
    yield (
        "s4d",
        s4d_kernel(rates, B, C, dt, L, method=method, multiplicity=counts),
        8 + 8 * min(size, np.pi) * L + size * L + n / 2,
    )
    discrete = discretize_system(HalfSystem(rates, B, multiplicity=counts), method, dt)
    Bbar, Abar = discrete.B, discrete.Lambda
    # Multipliers are rounded, and rounding x turns them by up to |x| eps (bilinear: by less than 4 eps): l times that.
    drift = (6 + 2 * (4.0 if method == "bilinear" else size)) * L
    yield "vandermonde", vandermonde_kernel(C, Bbar, Abar, L, multiplicity=counts), 8 + drift + 2 * L + n / 2
    if method != "bilinear":
        kernel = exponential_kernel(C, Bbar, x, L, multiplicity=counts)
        yield "exponential", kernel, 8 + size * L + n / 2
        blocks = nonuniform_kernel(rates, C * Bbar, dt, L, multiplicity=counts, algorithm="blocks")
        assert blocks.kind == "proved"
        yield "blocks", blocks.values, 16 + n + 600
        if np.ptp(rates.real) == 0:
            fourier = nonuniform_kernel(rates, C * Bbar, dt, L, multiplicity=counts, algorithm="nufft")
            yield "nufft", fourier.values, 16 + n + 1e-11 / EPS
    if L <= LONGEST_LOOP:
        kernel = recurrence_kernel(Abar, Bbar, C * counts, L).real
        yield "recurrence", kernel, 8 + drift + 3 * L + n
        impulse = np.zeros((L, 1))
        impulse[0] = 1
        scanned = scan_outputs(Abar, Bbar[:, None], C[None], impulse, multiplicity=counts)[:, 0]
        yield "scan", scanned, 8 + drift + 10 * L + n
        if n <= LARGEST_MATRIX:
            kernel = krylov_kernel(np.diag(Abar), Bbar, C * counts, L).real
            yield "krylov", kernel, 8 + drift + 4 * n * L


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["zoh", "bilinear", "sampled"])
@pytest.mark.parametrize("id", DIAGONAL)
def test_diagonal_algorithms_agree_everywhere(id, method):
    rng = np.random.default_rng(len(id))
    compared = 0
    for N in SIZES:
        start = start_of(id, N)
        if start is None:
            continue
        rates, B, counts = start
        C = rng.integers(-8, 9, len(rates)) / 8 + 1j * (counts == 2) * rng.integers(-8, 9, len(rates)) / 8
        B = np.round(B * 64) / 64 if np.abs(B).max() < 2**20 else B  # C B is exact in float64 then
        for dt in STEPS:
            L = int(rng.choice(LENGTHS))
            lags = np.unique([0, 1, 2, 3, L // 3, L // 2, L - 2, L - 1])
            lags = lags[(lags >= 0) & (lags < L)]
            truth = truth_at(rates, C * B, counts, method, dt, lags)
            x = rates * dt
            gain = {"zoh": np.abs(np.where(x == 0, 1, np.expm1(x) / np.where(x == 0, 1, x))), "sampled": 1.0}
            scale = float((counts * np.abs(C * B) * gain.get(method, 1 / np.abs(1 - x / 2)) * dt).sum())
            found = list(modal_kernels(rates, B, C, counts, method, dt, L))
            for name, kernel, bound in found:
                assert kernel.shape == (L,)
                assert np.abs(kernel[lags] - truth).max() <= bound * EPS * scale, (name, N, L, dt)
            for (one, first, wide), (other, second, far) in combinations(found, 2):
                gap = np.abs(first - second).max()
                assert gap <= (wide + far) * EPS * scale, (one, other, N, L, dt)
                compared += 1
    assert compared > 100


@pytest.mark.heavy
@pytest.mark.parametrize("id", LOW_RANK)
def test_low_rank_algorithms_agree_everywhere(id):
    rng = np.random.default_rng(len(id))
    compared = 0
    for N in SIZES:
        if id.startswith("fo") and N % 2 == 0:
            continue
        parts = normal_plus_low_rank(make_family(id, N))
        arguments = (parts.Lambda, parts.P, parts.P, parts.B)
        C = parts.V[0] + parts.V[-1]
        for dt in STEPS:
            L = int(rng.choice(LENGTHS))
            Abar, Bbar = bilinear_low_rank(*arguments, dt)
            size = float(np.linalg.norm(C) * np.linalg.norm(Bbar))
            # Rounding dt A turns powers by |dt A| eps each, until the bilinear rule bounds the turn.
            allowed = (64 + 4 * L * min(1 + np.abs(parts.Lambda * dt).max(), 8.0) + N) * EPS * size
            Ct = truncated_output(C, Abar, L, damping=1.0)
            found = {
                "generating": s4_kernel(*arguments, Ct, dt, L, damping=1.0, real=True, mirrored=True),
                "unmirrored": s4_kernel(*arguments, Ct, dt, L, damping=1.0, real=True),
                "direct": s4_kernel(*arguments, Ct, dt, L, damping=1.0, real=True, direct=True),
                "krylov": krylov_kernel(Abar, Bbar, C, L).real,
            }
            if L <= LONGEST_LOOP:
                impulse = np.zeros(L)
                impulse[0] = 1
                found["low-rank recurrence"] = low_rank_recurrence(*arguments, C, dt, impulse).real
                found["recurrence"] = recurrence_kernel(Abar, Bbar, C, L).real
            for one, other in combinations(found, 2):
                assert np.abs(found[one] - found[other]).max() <= allowed, (one, other, N, L, dt)
                compared += 1
            if N <= 16:
                lags = np.unique([0, 1, L // 2, L - 1])
                lags = lags[lags < L]
                truth = dense_truth(parts, C, dt, lags)
                assert np.abs(found["krylov"][lags] - truth).max() <= allowed, (N, L, dt)
    assert compared > 100


def dense_truth(parts, C, dt, lags):
    """C Abar^l Bbar of the float parameters as certified dense matrices."""
    with RING.work():

        def ball(value):
            return acb(complex(value).real, complex(value).imag)

        N = len(parts.Lambda)
        A = acb_mat(N, N, [ball(parts.Lambda[n]) if n == k else acb(0) for n in range(N) for k in range(N)])
        P = acb_mat([[ball(p) for p in row] for row in parts.P])
        A -= P * acb_mat([[ball(p).conjugate() for p in row] for row in parts.P.T])
        identity = acb_mat(N, N, [acb(n == k) for n in range(N) for k in range(N)])
        half = arb(dt) / 2
        left = identity - A * half
        Abar, Bbar = left.solve(identity + A * half), left.solve(acb_mat([[ball(b)] for b in parts.B]) * arb(dt))
        row = acb_mat([[ball(c) for c in C]])
        return np.array([float((row * Abar ** int(lag) * Bbar)[0, 0].real.mid()) for lag in lags])
