"""Matrices over the rationals: the exact values of floats, rank, and solutions of linear systems."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.errors import InputError

__all__ = [
    "exact_rank",
    "finite_numbers",
    "fractions",
    "lower_triangular",
    "product",
    "rational",
    "regular_array",
    "solution",
]

Array = NDArray[Any]


def regular_array(name: str, values: Any) -> Array:
    """An array of what was given; `InputError` where rows have different lengths."""
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"`{name}` must be an array, got rows of different lengths; fill them up") from None


def finite_numbers(name: str, values: Any) -> Array:
    """An array of numbers: floats and complex numbers as they are, integers as Python's own (object), which do not overflow.

    Raises
    ------
    InputError
        NaN, infinity, or what is no number.
    """
    array = regular_array(name, values)
    if array.dtype.kind in "biu":
        return array.astype(object) if array.dtype.kind != "b" else array.astype(int).astype(object)
    if array.dtype.kind == "O":
        # Integers of NumPy inside would overflow.
        array = np.frompyfunc(lambda value: value.item() if isinstance(value, np.generic) else value, 1, 1)(array)
        array = np.asarray(array, dtype=object)
    if array.dtype.kind not in "fcO" or any(isinstance(value, str | bytes | None) for value in array.ravel().tolist()):
        raise InputError(f"`{name}` must hold numbers, got dtype {array.dtype}; give integers, Fractions or floats")
    floats = array if array.dtype.kind != "O" else [v for v in array.ravel() if isinstance(v, float | complex)]
    if not np.isfinite(floats).all():
        raise InputError(f"`{name}` holds NaN or infinity; give finite numbers")
    return array


def fractions(values: Any) -> Array:
    """An object array of Fractions: integers and Fractions as they are, floats as the binary fractions that they are.

    Raises
    ------
    InputError
        NaN, infinity, or what is no real number.
    """
    array = regular_array("M", values)
    if array.dtype.kind not in "biufO":
        raise InputError(f"exact values need real numbers, got dtype {array.dtype}; give integers, Fractions or floats")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError("exact values need finite numbers, got NaN or infinity; leave these out")
    exact = np.empty(array.shape, dtype=object)
    exact.ravel()[:] = [exact_fraction(value) for value in array.ravel().tolist()]
    return exact


def lower_triangular(M: Any) -> Array:
    """A square matrix of Fractions with nothing above its diagonal.

    Raises
    ------
    InputError
        If it is not square, has an entry above the diagonal, or a number that is not finite.
    """
    exact = fractions(M)
    if exact.ndim != 2 or exact.shape[0] != exact.shape[1] or exact.size == 0:
        raise InputError(
            f"`M` must be a square matrix, got shape {exact.shape}; give one row and one column for each step"
        )
    above = [(t, s) for t in range(len(exact)) for s in range(t + 1, len(exact)) if exact[t, s] != 0]
    if above:
        t, s = above[0]
        raise InputError(
            f"`M` must be lower triangular, but M[{t}, {s}] is not zero; outputs may not depend on later inputs: "
            "give numpy.tril(M) if that entry is rounding"
        )
    return exact


def rational(values: Array) -> fmpq_mat:
    """A matrix of Fractions for flint."""
    rows, columns = values.shape
    return fmpq_mat(rows, columns, [fmpq(v.numerator, v.denominator) for v in values.ravel().tolist()])


def exact_rank(values: Array) -> int:
    """The rank of a matrix of Fractions; 0 without rows or columns."""
    return 0 if values.size == 0 else int(rational(values).rank())


def product(left: Array, right: Array) -> Array:
    """The product of two matrices of Fractions; flint is faster than NumPy's loop over Fractions."""
    if 0 in left.shape or 0 in right.shape:
        return fractions(np.zeros((len(left), right.shape[1]), dtype=int))
    rows = (rational(left) * rational(right)).tolist()
    return fractions(np.array(rows, dtype=object))


def solution(matrix: Array, right: Array) -> Array | None:
    """Some x with matrix x = right over the rationals, zero outside the pivots; None where there is none.

    Parameters
    ----------
    matrix : (K, L) object ndarray of Fraction
    right : (K,) object ndarray of Fraction
    """
    rows, columns = matrix.shape
    found = np.full(columns, Fraction(0), dtype=object)
    if rows == 0:
        return found
    reduced, rank = rational(np.concatenate([matrix, right[:, None]], axis=1)).rref()
    for row in range(rank):
        pivot = next(column for column in range(columns + 1) if reduced[row, column] != 0)
        if pivot == columns:
            return None
        value = reduced[row, columns]
        found[pivot] = Fraction(int(value.p), int(value.q))
    return found
