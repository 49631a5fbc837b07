r"""Masked attention duals: M = 1SS(a) * (Q K^T) of the least width, constructed, or a certificate that there is none.

Theorem (structured state-space duality, arXiv:2510.04944; its number differs between versions). A lower triangular M is
1SS(a) * (Q K^T), entry by entry, with Q and K of width w exactly if each of its finest diagonal blocks has at most w new
columns.

Why, as far as the certificate goes: between two zeros of a the mask is p_t / p_s with p without zeros, so that a dual of
width w completes the block, up to scaling, to a matrix of rank at most w. A new column t has a vector u on the rows t and
below with u^T M[t:, :t] = 0 and u^T M[t:, t] = 1. For the new columns t_1 < t_2 < ... of a block the numbers u_i^T X[:, t_j]
of any completion X are 0 for j < i and 1 for j = i: a triangular matrix without zeros on its diagonal, so rank X is at least
their number. These vectors are the certificate; `Certificate.holds` multiplies them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.exact_matrices import fractions, lower_triangular, product, solution
from hippo_theory.duality.semiseparable import completion, diagonal_blocks, one_semiseparable
from hippo_theory.duality.time_varying import TimeVaryingSystem

__all__ = ["Block", "Certificate", "Dual", "MaskedAttention", "attention_matrix", "least_dual", "scalar_system"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class MaskedAttention:
    """M = 1SS(a) * (Q K^T), entry by entry.

    Attributes
    ----------
    a : (T,) ndarray
        Factors of the mask; the first is of no effect.
    Q, K : (T, w) ndarray
        Queries (times of the output) and keys (times of the input).
    """

    a: Array
    Q: Array
    K: Array

    @property
    def width(self) -> int:
        """Columns of Q and K."""
        return int(self.Q.shape[1])


@dataclass(frozen=True)
class Block:
    """A finest diagonal block [start, stop) and the new columns in it, counted from 0 in the whole matrix."""

    start: int
    stop: int
    new_columns: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """Why no dual is narrower: a block, its new columns, and for each a vector that vanishes on all earlier columns.

    Attributes
    ----------
    block : Block
    annihilators : (k, stop - start) object ndarray of Fraction
        Row i belongs to the new column t_i and is zero before the row t_i.
    """

    block: Block
    annihilators: Array

    def holds(self, M: Any) -> bool:
        """Whether every completion of the block has rank at least the number of its new columns, by multiplication.

        Floats in the annihilators, too, are taken as the binary fractions that they are: nothing is rounded.
        """
        exact, start, stop = lower_triangular(M), self.block.start, self.block.stop
        if not 0 <= start < stop <= len(exact):
            return False
        block = exact[start:stop, start:stop]
        # A column named twice would count twice.
        if any(not s < t for s, t in pairwise((start - 1, *self.block.new_columns, stop))):
            return False
        vectors = fractions(self.annihilators)
        if vectors.shape != (len(self.block.new_columns), len(block)):
            return False
        for place, column in enumerate(self.block.new_columns):
            t, u = column - start, vectors[place]
            products = product(u[None, t:], block[t:, : t + 1])[0]
            if np.any(u[:t] != 0) or np.any(products[:t] != 0) or products[t] == 0:
                return False
        # Below a cut nothing remains: inside the block the mask of any dual has no zero.
        return all(bool(np.any(block[t:, :t] != 0)) for t in range(1, stop - start))


@dataclass(frozen=True, eq=False)
class Dual:
    """The masked attention of least width that is a matrix, over the rationals.

    Attributes
    ----------
    minimum_width : int
        The largest number of new columns in a block.
    blocks : tuple of Block
    attention : MaskedAttention
        Of that width; entries are Fractions.
    certificate : Certificate
        Why there is none of less width, from the block with most new columns.
    """

    minimum_width: int
    blocks: tuple[Block, ...]
    attention: MaskedAttention
    certificate: Certificate


def attention_matrix(attention: MaskedAttention) -> Array:
    """1SS(a) * (Q K^T), (T, T).

    Notes
    -----
    Exact for Fractions. In float64 each entry is within ((w + T + 1) eps + O(eps^2)) times the same expression with
    absolute values: w products and their sum, and up to T factors of the mask.
    """
    return np.asarray(one_semiseparable(attention.a) * (attention.Q @ attention.K.T))


def scalar_system(attention: MaskedAttention) -> TimeVaryingSystem:
    """The scalar-identity system of the same matrix: A_t = a_t, B_t = K_t, C_t = Q_t; a system has one state at least.

    Examples
    --------
    >>> from hippo_theory.duality import least_dual, scalar_system
    >>> scalar_system(least_dual([[0, 0], [0, 0]]).attention).N  # the dual of zero has the width 0
    1
    """
    if attention.width == 0:
        nothing = np.zeros((len(attention.a), 1), dtype=attention.Q.dtype)
        return TimeVaryingSystem(attention.a, nothing, nothing)
    return TimeVaryingSystem(attention.a, attention.K, attention.Q)


def least_dual(M: Any) -> Dual:
    """The dual of least width of a lower triangular matrix, with the certificate that there is no narrower one.

    In each block the columns that are new stay as they are, with zeros above the diagonal; each other column is the
    combination of earlier ones that it is below the diagonal. The mask is 1 inside blocks and 0 between them.

    Parameters
    ----------
    M : (T, T) array_like, lower triangular
        Integers, Fractions, or floats, which are taken as the binary fractions that they are.

    Returns
    -------
    Dual

    Raises
    ------
    InputError
        If M is not a lower triangular matrix of finite real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import attention_matrix, least_dual
    >>> M = np.array([[2, 0, 0, 0], [1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]])
    >>> dual = least_dual(M)
    >>> dual.minimum_width, bool((attention_matrix(dual.attention) == M).all()), dual.certificate.holds(M)
    (3, True, True)
    """
    exact = lower_triangular(M)
    T = len(exact)
    parts = [(start, stop, *completion(exact[start:stop, start:stop])) for start, stop in diagonal_blocks(exact)]
    blocks = tuple(Block(start, stop, tuple(start + t for t in new)) for start, stop, new, _ in parts)
    width = max(len(block.new_columns) for block in blocks)
    a, Q, K = (fractions(np.zeros(shape, dtype=int)) for shape in (T, (T, width), (T, width)))
    for start, stop, new, keys in parts:
        a[start + 1 : stop] = Fraction(1)
        for place, t in enumerate(new):
            Q[start + t : stop, place] = exact[start + t : stop, start + t]
        K[start:stop, : len(new)] = keys
    widest = max(blocks, key=lambda block: len(block.new_columns))
    return Dual(width, blocks, MaskedAttention(a, Q, K), _certificate(exact, widest))


def _certificate(exact: Array, block: Block) -> Certificate:
    inner = exact[block.start : block.stop, block.start : block.stop]
    annihilators = fractions(np.zeros((len(block.new_columns), len(inner)), dtype=int))
    for place, column in enumerate(block.new_columns):
        t = column - block.start
        # What vanishes on the new columns before t vanishes on all columns before it.
        spanning = [s - block.start for s in block.new_columns[: place + 1]]
        found = solution(inner[t:, spanning].T, fractions([0] * place + [1]))
        assert found is not None, "a new column has an annihilator"
        annihilators[place, t:] = found
    return Certificate(block, annihilators)
