"""What stored parameters are compared with: every family and initialization of the package, by its invariants.

A `Reference` is one certified truth in the form in which code stores it: all N eigenvalues, or one of each conjugate pair.
Its invariants do not depend on the phases of the eigenvectors: the eigenvalues, abs(V* B), the norms of the rows of
V* P, and V* P with the phases fixed by V* B > 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.errors import InputError
from hippo_theory.families import Family, make_family
from hippo_theory.families.conventions import CONVENTIONS, Convention, find_convention
from hippo_theory.initializations import initialization
from hippo_theory.systems import HalfSystem
from hippo_theory.validation.closed_forms import closed_form
from hippo_theory.validation.reading import LARGEST_DENSE

__all__ = ["DenseReference", "Reference", "dense_references", "family_reference", "references"]

Array = NDArray[Any]

LARGEST_SIZE = 4096  # of a full state; above it only the closed forms of S4D are compared
_LARGEST_LEGT = 1024


@dataclass(frozen=True, eq=False)
class Reference:
    """The truth for stored parameters of a diagonal (plus low rank) system.

    Attributes
    ----------
    id, convention : str
    N : int
        Full real state size.
    form : str
        ``all`` N eigenvalues; ``half``: one of each conjugate pair, real eigenvalues once; ``half, real state lost``: an
        odd N without its real eigenvalue; ``half, zeros paired``: the two zeros of FouT with even N as one pair.
    Lambda : (n,) ndarray of complex128
        By decreasing imaginary part; halves have it >= 0.
    vectors : callable
        Returns abs(V* B), (n,), and V* P with V* B real and positive, (n, r), or None for systems without low-rank term.
        Computed when asked for: most references are told apart by their eigenvalues alone.
    """

    id: str
    convention: str
    N: int
    form: str
    Lambda: Array
    vectors: Callable[[], tuple[Array, Array | None]] = field(repr=False)

    @property
    def stored(self) -> int:
        """The number n of stored eigenvalues."""
        return len(self.Lambda)

    @cached_property
    def scale(self) -> float:
        """Spectral norm of the normal part, to which the errors of eigensolvers are proportional."""
        return float(np.abs(self.Lambda).max())

    @property
    def weight(self) -> Array:
        """abs(V* B), (n,)."""
        return self.vectors()[0]

    @property
    def low_rank(self) -> Array | None:
        """V* P with the phases that make V* B positive, (n, r)."""
        return self.vectors()[1]


@dataclass(frozen=True, eq=False)
class DenseReference:
    """The truth for dense A and B.

    Attributes
    ----------
    id, convention : str
    N : int
    approximate : (N, N) ndarray
        A within a few units in the last place of its largest terms: cheap, for searches.
    make : callable
        Returns what holds the certified A and B, which takes seconds for some families at N = 1024.
    beta : str
        Of LagT.
    deviation : str, optional
        The known deviation that this matrix is (D8, D9).
    terms : (N, N) ndarray, optional
        What entries of A that are sums are rounded relative to.
    """

    id: str
    convention: str
    N: int
    approximate: Array
    make: Callable[[], Any]
    beta: str = "0"
    deviation: str | None = None
    terms: Array | None = None

    @cached_property
    def _certified(self) -> Any:
        return self.make()

    @property
    def A(self) -> Array:
        """(N, N), each entry the float64 nearest to the truth."""
        return np.asarray(self._certified.A)

    @property
    def B(self) -> Array:
        """(N,)."""
        return np.asarray(self._certified.B)


# Families whose normal part has a spectrum of its own, by convention: the default first.
_SPECTRAL = ("legs", "legt", "lagt", "fout", "fourier-decay", "fourier-diagonal")
_CLOSED = ("s4d-lin", "s4d-inv", "s4d-inv2", "s4d-quad")


def _conventions(id: str) -> list[str]:
    """Conventions of an id that are different systems in the form x' = A x + B u."""
    seen, names = set(), []
    for entry in CONVENTIONS:
        key = (
            entry.rate,
            entry.rank,
            entry.shift,
            entry.gain,
            entry.sign,
            entry.rescaled,
            entry.unit_mass,
            entry.even_sizes,
        )
        if entry.id == id and entry.sign == 1 and key not in seen:
            seen.add(key)
            names.append(entry.name)
    return names


@lru_cache(maxsize=256)
def references(stored: int) -> tuple[Reference, ...]:
    """Every reference with that many stored eigenvalues."""
    found: list[Reference] = []
    for N, form in (
        (stored, "all"),
        (2 * stored, "half"),
        (2 * stored - 1, "half"),
        (2 * stored + 1, "half, real state lost"),
    ):
        if N >= 1:
            found += _family_references(N, form)
    for id in _CLOSED:
        found += _closed_references(id, stored)
    found += _real_references(stored)
    return tuple(found)


@lru_cache(maxsize=128)
def _canonical_spectrum(family: str, N: int) -> Array:
    """All eigenvalues of the normal part in the default convention."""
    return make_family(family, N).normal_spectrum()


@lru_cache(maxsize=32)
def _canonical_vectors(family: str, N: int) -> tuple[Array, Array]:
    """abs(V* B) and V* P with V* B positive, in the default convention."""
    system = make_family(family, N)
    weight = system.normal_weights()
    if system.low_rank_columns == 1:  # P is a multiple of B
        return weight, (weight * (system.P[0, 0] / system.B[0]))[:, None] + 0j
    parts = normal_plus_low_rank(system)
    return weight, parts.P


def _family_references(N: int, form: str) -> Iterator[Reference]:
    for id in _SPECTRAL:
        for convention in _conventions(id):
            entry = find_convention(id, convention)
            if (_LARGEST_LEGT if entry.family == "legt" else LARGEST_SIZE) < N:
                continue
            if not entry.normal_plus_low_rank or (entry.family == "fout" and N % 2 == 0 and not entry.even_sizes):
                continue
            yield from _family_reference(entry, N, form)


def _family_reference(entry: Convention, N: int, form: str) -> Iterator[Reference]:
    live = N - 1 if entry.family == "fout" and N % 2 == 0 else N
    spectrum = float(entry.rate) * (_canonical_spectrum(entry.family, live) + float(entry.shift))
    upper, zeros = np.flatnonzero(spectrum.imag > 0), np.flatnonzero(spectrum.imag == 0)
    divide = np.ones(live)
    if form == "all":
        keep = np.arange(live)
    elif form == "half":
        keep = np.concatenate([upper, zeros])
        if live < N:  # the live zero and the dead one, as the pair of eigenvectors (1, +-i)/sqrt(2)
            form = "half, zeros paired"
            divide[zeros] = np.sqrt(2)
    elif len(zeros) == 1 and live == N:
        keep = upper
    else:
        return
    dead = form == "all" and live < N
    at = (live + 1) // 2  # the dead state stands behind the live zero
    Lambda = spectrum[keep]
    if dead:
        Lambda = np.insert(Lambda, at, float(entry.rate) * float(entry.shift))

    @lru_cache(maxsize=1)
    def vectors() -> tuple[Array, Array | None]:
        weight, P = _canonical_vectors(entry.family, live)
        weight = (float(entry.rate * entry.gain) * weight / divide)[keep]
        low_rank = None
        if entry.rank:
            low_rank = (np.sqrt(float(entry.rate * entry.rank)) * P / divide[:, None])[keep]
        if dead:
            weight = np.insert(weight, at, 0.0)
            low_rank = None if low_rank is None else np.insert(low_rank, at, 0.0, axis=0)
        return weight, low_rank

    yield Reference(entry.id, entry.name, N, form, Lambda, vectors)


def _ones(stored: int) -> Callable[[], tuple[Array, Array | None]]:
    return lambda: (np.ones(stored), None)


def _diagonal(id: str, N: int) -> Array:
    if LARGEST_SIZE < N:  # too many for balls: float64, each value within 2 units in the last place
        return -0.5 + 1j * closed_form(id, np.arange(N // 2), N)
    system = initialization(id, N)
    assert isinstance(system, HalfSystem)
    return system.Lambda


def _closed_references(id: str, stored: int) -> Iterator[Reference]:
    half = _diagonal(id, 2 * stored)
    half = half[np.argsort(-half.imag, kind="stable")]
    yield Reference(id, "default", 2 * stored, "half", half, _ones(stored))
    if stored % 2 == 0:
        both = _diagonal(id, stored)
        both = np.concatenate([both, both.conj()])
        yield Reference(id, "default", stored, "all", both[np.argsort(-both.imag, kind="stable")], _ones(stored))


def _real_references(stored: int) -> Iterator[Reference]:
    yield Reference("s4d-real", "default", stored, "all", -np.arange(1.0, stored + 1) + 0j, _ones(stored))


@lru_cache(maxsize=64)
def dense_references(N: int) -> tuple[DenseReference, ...]:
    """Every dense (A, B) of that size: the families in their conventions, and the dense form of S4D-LegS."""
    if N > LARGEST_DENSE:
        return ()
    found = []
    for id in dict.fromkeys(entry.id for entry in CONVENTIONS):
        for convention in _conventions(id):
            for beta in ("0", "1", "0.01") if id == "lagt" else ("0",):
                if convention == "glagt" and beta == "0":
                    continue
                options: dict[str, Any] = {"beta": beta} if id == "lagt" else {}
                try:
                    found.append(family_reference(make_family(id, N, convention=convention, **options), beta))
                except InputError:
                    continue
    legs = make_family("legs", N)
    normal = np.asarray(legs.state_matrix(FLOAT64), dtype=np.float64) + legs.P @ legs.P.T
    root = np.sqrt(2.0 * np.arange(N) + 1)
    dense = partial(initialization, "s4d-legs", N, form="dense")
    found.append(DenseReference("s4d-legs", "default", N, normal, dense, terms=1.5 * np.outer(root, root)))
    return tuple(found)


def family_reference(family: Family, beta: str = "0") -> DenseReference:
    """A and B of a family as what dense matrices are compared with."""
    approximate = np.asarray(family.state_matrix(FLOAT64), dtype=np.float64)
    return DenseReference(family.variant, family.convention, family.N, approximate, lambda: family, beta)
