"""Rows of spectra: eigenvalues of normal parts against dense eigensolvers."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from flint import acb_mat

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds
from hippo_theory.bench.framework import Array, Row, benchmark, fitted_exponent, ratio_row, seconds, ulps
from hippo_theory.errors import CertificationError
from hippo_theory.families import FouT, LagT, LegS, LegT, legs_phase

__all__: list[str] = []


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
    yield ratio_row(
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
        exponent = fitted_exponent(sizes, times)
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
    yield ratio_row(ours, "numpy.linalg.eigh with vectors, complex128, 1024 x 1024 (float64 digits only)", peer)


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
    yield ratio_row(ours, name, peers[name], all_peers_s=peers)


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
