"""Rows of kernels: each algorithm against what it replaces."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np

from hippo_theory.arithmetic import balls
from hippo_theory.bench.framework import Array, Row, benchmark, largest_error, ratio_row, seconds
from hippo_theory.bench.growth import DIAGONAL_ALGORITHMS, LOW_RANK_ALGORITHMS
from hippo_theory.bench.problems import DiagonalProblem, LowRankProblem
from hippo_theory.convolution import crossovers
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.families import LegS
from hippo_theory.kernels import (
    bilinear_low_rank,
    certified_kernel,
    diagonal_kernel,
    krylov_kernel,
    nonuniform_kernel,
    s4_kernel,
    truncated_output,
)

__all__: list[str] = []

_CHUNK = 256  # lags of one chunk of the direct product


def _direct_kernel(Lambda: Array, c: Array, dt: float, lags: Array) -> Array:
    """2 Re sum_j c_j e^(lambda_j dt l) as a float64 Vandermonde product, in chunks of lags: the two-line S4D kernel."""
    values = np.empty(len(lags))
    for start in range(0, len(lags), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        with np.errstate(under="ignore"):
            values[chunk] = 2 * (np.exp(np.outer(lags[chunk], Lambda * dt)) @ c).real
    return values


@benchmark("kernel-diagonal", "diagonal kernel, N = 4096, L = 65536, against a chunked Vandermonde product")
def _kernel_diagonal(quick: bool) -> Iterator[Row]:
    N, L, share = 4096, 65_536, 16 if quick else 4
    Lambda = LegS(N).normal_spectrum()[: N // 2]
    random = np.random.default_rng(0)
    c = random.standard_normal(N // 2) + 1j * random.standard_normal(N // 2)
    lags = np.arange(L)
    part = lags.reshape(-1, _CHUNK)[::share].ravel()  # whole chunks from all over the grid
    for dt in (1e-3, 1e-2, 1e-1):
        kernel = nonuniform_kernel(Lambda, c, dt, L)
        ours = seconds(partial(nonuniform_kernel, Lambda, c, dt, L))
        peer = share * seconds(partial(_direct_kernel, Lambda, c, dt, part), repeats=1 if quick else 3)
        # The first lags, where the kernel is large, and equidistant ones over the whole grid.
        samples = (range(512), range(3, L, 65))
        error = peer_error = 0.0
        for sample in samples:
            truth = certified_kernel((Lambda, c), [Fraction(dt) * lag for lag in sample], 20, relative_to="largest")
            error = max(error, largest_error(kernel.values[list(sample)], truth))
            peer_error = max(peer_error, largest_error(_direct_kernel(Lambda, c, dt, np.array(sample)), truth))
        largest = float(np.abs(kernel.values).max())
        scaled = f"measured on 1/{share} of the lags and scaled"
        yield ratio_row(
            ours,
            f"numpy exp and matrix product, complex128, {_CHUNK} lags a chunk, {scaled}",
            peer,
            step=dt,
            algorithm=kernel.algorithm,
            bound=kernel.bound,
            error=error / largest,
            peer_error=peer_error / largest,
            lags_checked=sum(len(sample) for sample in samples),
        )


@benchmark("kernel-certified", "diagonal LegS kernel to 30 digits, N = 256, 1000 equidistant times")
def _kernel_certified(quick: bool) -> Iterator[Row]:
    from mpmath import libmp
    from mpmath.ctx_mp import MPContext

    kernel = diagonal_kernel(LegS(256), 0, balls(200))
    times = [Fraction(i, 100) for i in range(1000)]
    share = 25 if quick else 5
    ours = seconds(partial(certified_kernel, kernel, times, 30), repeats=3 if quick else 7)
    context = MPContext()
    context.dps = 35
    rates = [context.convert(rate.mid()) for rate in kernel.rates]
    coefficients = [context.convert(c.mid()) for c in kernel.coefficients]
    start = time.perf_counter()
    for t in times[::share]:
        point = context.mpf(t.numerator) / t.denominator
        2 * context.re(sum(c * context.exp(rate * point) for c, rate in zip(coefficients, rates, strict=True)))
    peer = share * (time.perf_counter() - start)
    scaled = f"measured on every {share}th time and scaled"
    yield ratio_row(ours, f"mpmath {context.dps} digits, term by term, backend {libmp.BACKEND}, {scaled}", peer)


@benchmark("kernel-s4", "S4 kernel (diagonal plus low rank), N = 64, L = 16,384")
def _kernel_s4(quick: bool) -> Iterator[Row]:
    N, L, dt = 64, 16_384, 0.01
    start = normal_plus_low_rank(LegS(N))
    Lambda, P, B = start.Lambda, start.P, start.B
    C = np.random.default_rng(0).standard_normal(N) @ start.V  # real in the original coordinates: a real kernel
    Abar, Bbar = bilinear_low_rank(Lambda, P, P, B, dt)
    truncated, damped = truncated_output(C, Abar, L), truncated_output(C, Abar, L, damping=1.0)
    run = partial(s4_kernel, Lambda, P, P, B, damped, dt, L, damping=1.0, real=True, mirrored=True)
    ours = seconds(run)
    peer = seconds(lambda: _textbook_s4(Lambda, P[:, 0], B, truncated, dt, L), repeats=3 if quick else 7)
    values = run()
    reference = krylov_kernel(Abar, Bbar, C, L).real
    scale = np.abs(reference).max()
    yield ratio_row(
        ours,
        "NumPy: four Cauchy sums over all nodes, each with its own division, then Woodbury",
        peer,
        error=float(np.abs(values - reference).max() / scale),
        peer_error=float(np.abs(_textbook_s4(Lambda, P[:, 0], B, truncated, dt, L) - reference).max() / scale),
        error_is="largest difference from the powers of Abar, over the largest value",
    )


def _textbook_s4(Lambda: Array, P: Array, B: Array, truncated: Array, dt: float, L: int) -> Array:
    """The S4 kernel as it is usually written: four Cauchy sums over all L nodes, each with its own division."""
    omega = np.exp(-2j * np.pi * np.arange(L) / L)
    g = (2 / dt) * (1 - omega) / (1 + omega)
    sums = [(v / (g[:, None] - Lambda)).sum(axis=1) for v in (truncated * B, truncated * P, P.conj() * B, P.conj() * P)]
    at_roots = 2 / (1 + omega) * (sums[0] - sums[1] * sums[2] / (1 + sums[3]))  # z = -1 is never met exactly in float64
    return np.asarray(np.fft.ifft(at_roots).real)


@benchmark("kernel-large", "diagonal kernel, N = 65,536, L = 1,048,576: seconds and memory", quick=False)
def _kernel_large(quick: bool) -> Iterator[Row]:
    N, L, dt = 65_536, 1_048_576, 1e-3
    Lambda = LegS(2 * N).normal_spectrum()[:N]
    random = np.random.default_rng(0)
    c = random.standard_normal(N) + 1j * random.standard_normal(N)
    lags = np.unique(random.integers(0, L, 200))
    truth = certified_kernel((Lambda, c), [Fraction(dt) * int(lag) for lag in lags], 14, relative_to="largest")
    for algorithm in ("nufft", "blocks"):
        start = time.perf_counter()
        tracemalloc.start()
        kernel = nonuniform_kernel(Lambda, c, dt, L, algorithm=algorithm)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        yield {
            "ours_s": time.perf_counter() - start,
            "peer": "a minute and 4 GB",
            "algorithm": algorithm,
            "peak_mib": peak,
            "bound": kernel.bound,
            "error": largest_error(kernel.values[lags], truth) / float(np.abs(kernel.values).max()),
            "lags_checked": len(lags),
        }


@benchmark("kernel-s4-vandermonde", "S4 kernel (diagonal plus low rank) against a Vandermonde product of the same size")
def _kernel_s4_vandermonde(quick: bool) -> Iterator[Row]:
    """What the low-rank term costs: the same N and L, once with it and once without."""
    for N, L in ((64, 1024), (64, 16_384)) if quick else ((64, 1024), (64, 16_384), (256, 1024), (256, 16_384)):
        low_rank, diagonal = LowRankProblem(N, L), DiagonalProblem(N, L)
        calls = LOW_RANK_ALGORITHMS["S4"](low_rank), DIAGONAL_ALGORITHMS["exponential"](diagonal)
        ours, peer = (seconds(call, repeats=3 if quick else 7) for call in calls)
        yield ratio_row(
            ours,
            f"exponential_kernel of {N // 2} stored states, complex128",
            peer,
            N=N,
            L=L,
            times_slower=ours / peer,
            error=low_rank.error(calls[0]()),
            peer_error=diagonal.error(calls[1]()),
        )


@benchmark(
    "kernel-choice", "the algorithm that is chosen by itself against the fastest of all that are accurate enough"
)
def _kernel_choice(quick: bool) -> Iterator[Row]:
    """At sizes that the cost models behind the choice were not fitted on; 1 is the best `regret`."""
    points = crossovers.HELD_OUT[::9] if quick else crossovers.HELD_OUT
    for found in crossovers.choice_regret(points, budget=0.1 if quick else 0.5):
        yield ratio_row(
            found.seconds,
            found.best,
            found.best_seconds,
            family=found.family,
            N=found.N,
            L=found.L,
            chosen=found.chosen,
            regret=found.ratio,
        )
