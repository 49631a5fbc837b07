"""The toolkit against what a user would pick instead, side by side in one process.

Each benchmark is one function, found by being defined with `benchmark`. It returns rows: our seconds, the peer's, their
ratio, and the error of both in units in the last place against certified values. BLAS threads are fixed (to the number
of processors, to the peer's advantage) and reported.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from flint import acb_mat
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds, nearest
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FouT, LagT, LegS, LegT, legs_phase
from hippo_theory.kernels import (
    bilinear_low_rank,
    certified_kernel,
    diagonal_kernel,
    krylov_kernel,
    nonuniform_kernel,
    s4_kernel,
    truncated_output,
)

__all__ = ["BENCHMARKS", "benchmark", "run_bench", "ulps"]

Array = NDArray[Any]
Row = dict[str, Any]

BENCHMARKS: dict[str, tuple[str, bool, Callable[[bool], Iterator[Row]]]] = {}


def benchmark(name: str, title: str, *, quick: bool = True) -> Callable[[Callable[[bool], Iterator[Row]]], Any]:
    """Register a benchmark; with ``quick=False`` it is left out of quick runs unless it is named."""

    def register(function: Callable[[bool], Iterator[Row]]) -> Callable[[bool], Iterator[Row]]:
        BENCHMARKS[name] = (title, quick, function)
        return function

    return register


def run_bench(
    names: Sequence[str] | None = None, quick: bool = False, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Run benchmarks and return their rows and the machine they ran on.

    Parameters
    ----------
    names : sequence of str, optional
        Which; all by default.
    quick : bool
        Measure each slow peer once, and leave out those that take minutes.
    progress : callable, optional
        Called with the name of each benchmark before it runs.

    Returns
    -------
    dict
        ``rows`` (name, ours_s, peer, peer_s, ratio, exponent, ulps, peer_ulps; None where a key does not apply) and
        ``machine``.

    Raises
    ------
    InputError
        If there is no benchmark of that name.
    """
    for name in names or []:
        if name not in BENCHMARKS:
            raise InputError(f"unknown benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
    chosen = list(names) if names else [name for name, (_, in_quick, _) in BENCHMARKS.items() if in_quick or not quick]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows: list[Row] = []
    with threadpool_limits(limits=threads, user_api="blas"):
        for name in chosen:
            if progress is not None:
                progress(name)
            rows.extend({"name": name, **_EMPTY, **row} for row in BENCHMARKS[name][2](quick))
        machine = _machine(threads)
    return {"rows": rows, "machine": machine}


_EMPTY: Row = dict.fromkeys(("ours_s", "peer", "peer_s", "ratio", "exponent", "ulps", "peer_ulps"))


def _machine(threads: int) -> dict[str, Any]:
    blas = [
        f"{entry.get('internal_api')} {entry.get('version')}"
        for entry in threadpool_info()
        if entry["user_api"] == "blas"
    ]
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": sorted(set(blas)),
        "blas_threads": threads,
    }


def seconds(function: Callable[[], Any], *, repeats: int = 7, least: float = 0.05) -> float:
    """Median wall-clock seconds of one call, each sample long enough (`least` seconds) for the clock."""
    start = time.perf_counter()
    function()
    once = time.perf_counter() - start
    if repeats == 1:
        return once
    number = max(1, int(least / max(once, 1e-9)))
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(number):
            function()
        samples.append((time.perf_counter() - start) / number)
    return statistics.median(samples)


def ulps(values: Array, enclosures: Array) -> float:
    """Largest distance of float64 values from certified balls, in units in the last place of the true value."""
    worst = 0.0
    with balls(160).work() as ring:
        for value, ball in zip(values.tolist(), enclosures, strict=True):
            truth = float(nearest(ball)) if complex_radius(ball) else float(ball)
            error = float(abs(ring.number(value) - ball).upper())
            if error:
                worst = max(worst, error / float(np.spacing(abs(truth))) if truth else float("inf"))
    return worst


def _ratio_row(ours: float, peer_name: str, peer: float, **more: Any) -> Row:
    return {"ours_s": ours, "peer": peer_name, "peer_s": peer, "ratio": peer / ours, **more}


# --- spectra -----------------------------------------------------------------------------------------------------------


def _float_spectrum_and_weights(family: type[Any], N: int) -> Any:
    system = family(N)
    return system.normal_spectrum(), system.normal_weights()


def _dense_hermitian(N: int) -> Array:
    """-i (S + I/2) of the LegS normal part, the Hermitian matrix that other codebases hand to eigh."""
    legs = LegS(N)
    P = legs.P
    return -1j * (legs.A + P @ P.T + 0.5 * np.eye(N))


def _eigh(matrix: Array, B: Array) -> tuple[Array, Array]:
    values, V = np.linalg.eigh(matrix)
    return values[::-1], np.abs(V.conj().T @ B)[::-1]


def _spectrum_float(N: int, peer_repeats: int) -> Iterator[Row]:
    ours = seconds(lambda: _float_spectrum_and_weights(LegS, N))
    matrix, B = _dense_hermitian(N), LegS(N).B
    peer = seconds(lambda: _eigh(matrix, B), repeats=peer_repeats)
    half = N // 2
    roots = LegS(N).normal_frequencies(balls(130))[:half]
    weights = LegS(N).normal_weights(balls(130))[:half]
    spectrum, our_weights = _float_spectrum_and_weights(LegS, N)
    peer_roots, peer_weights = _eigh(matrix, B)
    yield _ratio_row(
        ours,
        f"numpy.linalg.eigh with vectors, complex128, {N} x {N}",
        peer,
        ulps=max(ulps(spectrum.imag[:half], roots), ulps(our_weights[:half], weights)),
        peer_ulps=max(ulps(peer_roots[:half], roots), ulps(peer_weights[:half], weights)),
    )


@benchmark("spectrum-float-1024", "float64 spectrum and abs(V* B) of LegS, N = 1024")
def _spectrum_float_1024(quick: bool) -> Iterator[Row]:
    yield from _spectrum_float(1024, 1 if quick else 5)


@benchmark("spectrum-float-4096", "float64 spectrum and abs(V* B) of LegS, N = 4096", quick=False)
def _spectrum_float_4096(quick: bool) -> Iterator[Row]:
    yield from _spectrum_float(4096, 1)


@benchmark("spectrum-growth", "float64 spectrum and weights: growth of the time with N")
def _spectrum_growth(quick: bool) -> Iterator[Row]:
    cases: list[tuple[type[Any], Sequence[int]]] = [
        (LegS, (10**4, 10**5, 10**6)),
        (LagT, (10**4, 10**5, 10**6)),
        (FouT, (10**4 + 1, 10**5 + 1, 10**6 + 1)),
        (LegT, (256, 512, 1024, 2048, 4096)),
    ]
    for family, sizes in cases:
        times = [seconds(partial(_float_spectrum_and_weights, family, N), repeats=3) for N in sizes]
        exponent = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
        tracemalloc.start()
        spectrum, weights = _float_spectrum_and_weights(family, sizes[-1])
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        worst = None
        if family is LegS:
            N = sizes[-1]
            sample = np.unique(np.random.default_rng(0).integers(0, N // 2, 10_000 if not quick else 1_000))
            roots = legs_phase.frequencies(N, balls(130), indices=sample)
            with balls(130).work() as ring:
                truth = np.array([ring.sqrt(2 / legs_phase.slope(N, w)) for w in roots], dtype=object)
            worst = max(ulps(spectrum.imag[sample], roots), ulps(weights[sample], truth))
        yield {
            "family": family.name,
            "sizes": list(sizes),
            "ours_s": times[-1],
            "exponent": exponent,
            "peak_mib": peak,
            "peer": "a line",
            "ulps": worst,
        }


@benchmark("spectrum-certified-1024", "LegS spectrum certified to 50 digits, N = 1024, against float64 eigh")
def _spectrum_certified_1024(quick: bool) -> Iterator[Row]:
    bits = _bits_for(1024, 50)
    ours = seconds(lambda: legs_phase.frequencies(1024, balls(bits)), repeats=3 if quick else 7)
    matrix, B = _dense_hermitian(1024), LegS(1024).B
    peer = seconds(lambda: _eigh(matrix, B), repeats=1 if quick else 5)
    yield _ratio_row(ours, "numpy.linalg.eigh with vectors, complex128, 1024 x 1024 (float64 digits only)", peer)


@benchmark("spectrum-certified-128", "LegS spectrum certified to 50 digits, N = 128")
def _spectrum_certified_128(quick: bool) -> Iterator[Row]:
    bits = _bits_for(128, 50)
    ours = seconds(lambda: legs_phase.frequencies(128, balls(bits)))
    for peer_bits in (bits + 40, bits + 120):
        with balls(peer_bits).work() as ring:
            matrix = acb_mat(LegS(128).normal_part(ring).tolist())
            start = time.perf_counter()
            enclosures = matrix.eig()
            flint_seconds = time.perf_counter() - start
            if all(complex_radius(value) * 10**50 <= magnitude_bounds(value)[0] for value in enclosures):
                break
    else:
        raise CertificationError("acb_mat.eig did not reach 50 digits; raise its precision")
    peers = {f"python-flint acb_mat.eig at {peer_bits} bits": flint_seconds}
    peers["mpmath eighe at 60 digits, values only"] = _mpmath_eighe(128)
    name = min(peers, key=lambda key: peers[key])
    yield _ratio_row(ours, name, peers[name], all_peers_s=peers)


def _bits_for(N: int, digits: int) -> int:
    """Working precision at which `legs_phase.frequencies` gives that many digits for every root; checked, not assumed."""
    for bits in range(int(digits * 3.3219), int(digits * 3.3219) + 64, 2):
        roots = [root for root in legs_phase.frequencies(N, balls(bits)) if root != 0]
        if all(complex_radius(root) * 10**digits <= magnitude_bounds(root)[0] for root in roots):
            return bits
    raise CertificationError(f"{digits} digits were not reached at N = {N}; raise the working precision")


def _mpmath_eighe(N: int) -> float:
    from mpmath.ctx_mp import MPContext

    context = MPContext()
    context.dps = 60
    R = [context.sqrt(2 * n + 1) for n in range(N)]
    matrix = context.matrix(N, N)
    for n in range(N):
        for k in range(n):
            matrix[n, k] = context.mpc(0, R[n] * R[k] / 2)
            matrix[k, n] = -matrix[n, k]
    start = time.perf_counter()
    context.eighe(matrix, eigvals_only=True)
    return time.perf_counter() - start


# --- kernels -----------------------------------------------------------------------------------------------------------

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
            error = max(error, _largest_error(kernel.values[list(sample)], truth))
            peer_error = max(peer_error, _largest_error(_direct_kernel(Lambda, c, dt, np.array(sample)), truth))
        largest = float(np.abs(kernel.values).max())
        scaled = f"measured on 1/{share} of the lags and scaled"
        yield _ratio_row(
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


def _largest_error(values: Array, enclosures: Array) -> float:
    with balls(160).work() as ring:
        return max(
            float(abs(ring.number(v) - ball).upper()) for v, ball in zip(values.tolist(), enclosures, strict=True)
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
    yield _ratio_row(ours, f"mpmath {context.dps} digits, term by term, backend {libmp.BACKEND}, {scaled}", peer)


@benchmark("kernel-s4", "S4 kernel (diagonal plus low rank), N = 64, L = 16,384")
def _kernel_s4(quick: bool) -> Iterator[Row]:
    N, L, dt = 64, 16_384, 0.01
    start = normal_plus_low_rank(LegS(N))
    Lambda, P, B = start.Lambda, start.P, start.B
    C = np.random.default_rng(0).standard_normal(N) @ start.V  # real in the original coordinates: a real kernel
    Abar, Bbar = bilinear_low_rank(Lambda, P, P, B, dt)
    truncated = truncated_output(C, Abar, L)
    ours = seconds(lambda: s4_kernel(Lambda, P, P, B, truncated, dt, L, real=True, mirrored=True))
    peer = seconds(lambda: _textbook_s4(Lambda, P[:, 0], B, truncated, dt, L), repeats=3 if quick else 7)
    values = s4_kernel(Lambda, P, P, B, truncated, dt, L, real=True, mirrored=True)
    reference = krylov_kernel(Abar, Bbar, C, L).real
    scale = np.abs(reference).max()
    yield _ratio_row(
        ours,
        "NumPy: four Cauchy sums over all nodes, each with its own division, then Woodbury",
        peer,
        error=float(np.abs(values - reference).max() / scale),
        peer_error=float(np.nanmax(np.abs(_textbook_s4(Lambda, P[:, 0], B, truncated, dt, L) - reference)) / scale),
        error_is="largest difference from the powers of Abar, over the largest value",
    )


def _textbook_s4(Lambda: Array, P: Array, B: Array, truncated: Array, dt: float, L: int) -> Array:
    """The S4 kernel as it is usually written: four Cauchy sums over all L nodes, each with its own division."""
    omega = np.exp(-2j * np.pi * np.arange(L) / L)
    g = (2 / dt) * (1 - omega) / (1 + omega)
    sums = [(v / (g[:, None] - Lambda)).sum(axis=1) for v in (truncated * B, truncated * P, P.conj() * B, P.conj() * P)]
    at_roots = 2 / (1 + omega) * (sums[0] - sums[1] * sums[2] / (1 + sums[3]))
    return np.asarray(np.fft.ifft(at_roots).real)
