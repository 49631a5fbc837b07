"""What a stored tensor says: the parameter it means, and how much of it one unit in its last place is worth.

Codebases store a parameter x as t = g^-1(x): the logarithm of -Re Lambda, a view of a complex number as two reals, ... A
`Quantity` is x = g(t) with its `spacing` |g'(t)| ulp(t): an error is measured against what the stored number can hold,
whatever its parameterization. log(7) in float32 gives back 6.9999995, which is exact in this sense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError

__all__ = [
    "TRANSFORMS",
    "Quantity",
    "UnfitTensorError",
    "combined",
    "precision_of",
    "quantity",
    "real_pairs",
    "spacings",
]

Array = NDArray[Any]


class UnfitTensorError(InputError):
    """A tensor whose dtype or shape cannot be what its name says."""


# Unit roundoff of the floating types that hold parameters; integers count as exact.
_ROUNDOFF = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
    "complex128": 2.0**-53,
    "complex64": 2.0**-24,
}
_SMALLEST = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}


def precision_of(dtype: str) -> float:
    """Unit roundoff of a stored dtype, given by name; other types (float8, integers) raise `UnfitTensorError`."""
    if dtype not in _ROUNDOFF:
        known = ", ".join(_ROUNDOFF)
        raise UnfitTensorError(f"parameters stored as {dtype} are not read; convert them to one of {known}")
    return _ROUNDOFF[dtype]


def spacings(values: Array, dtype: str) -> Array:
    """The distance between neighboring numbers of a dtype at real values: one unit in the last place."""
    name = {"complex128": "float64", "complex64": "float32"}.get(dtype, dtype)
    with np.errstate(all="ignore"):  # infinities have an infinite spacing
        magnitude = np.maximum(np.abs(values), _SMALLEST[name])
        _, exponent = np.frexp(magnitude)
        spacing = np.ldexp(2 * precision_of(name), exponent - 1)
        return np.asarray(np.where(np.isfinite(magnitude), spacing, magnitude))


def _complex(real: Array, imaginary: Array) -> Array:
    """real + i imaginary, also where they are infinite."""
    result = np.empty(real.shape, dtype=np.complex128)
    result.real, result.imag = real, imaginary
    return result


def _softplus(t: Array) -> Array:
    return np.logaddexp(0, t)


def _logistic(t: Array) -> Array:
    return np.exp(-np.logaddexp(0, -t))


def _identity(t: Array) -> Array:
    return t


# Name: (g, |g'|).
TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (_identity, np.ones_like),
    "negative": (np.negative, np.ones_like),
    "exp": (np.exp, np.exp),
    "negative exp": (lambda t: -np.exp(t), np.exp),
    "negative softplus": (lambda t: -_softplus(t), _logistic),
    "negative relu": (lambda t: -np.maximum(t, 0), lambda t: np.where(t > 0, 1.0, 0.0)),
    "softplus": (_softplus, _logistic),
}


@dataclass(frozen=True, eq=False)
class Quantity:
    """A parameter as a tensor holds it.

    Attributes
    ----------
    values : ndarray of float64 or complex128
    spacing : ndarray of float64 or complex128
        One unit in the last place of what is stored, carried to the parameter; real and imaginary part apart.
    dtype : str
        The stored dtype, the coarsest if there are several.
    tensors : tuple of str
        Where it comes from.
    direct : bool
        Whether the parameter itself is stored, not a function of it.
    held : str
        The narrowest dtype that holds every stored number: a checkpoint that was cast up still shows what it came from.
    """

    values: Array
    spacing: Array
    dtype: str
    tensors: tuple[str, ...] = ()
    direct: bool = True
    held: str = ""

    @property
    def roundoff(self) -> float:
        """Unit roundoff of the stored dtype."""
        return precision_of(self.dtype)

    @cached_property
    def by_size(self) -> tuple[Array, Array]:
        """The moduli (n,) in increasing order, and one unit in the last place of each."""
        sizes = np.abs(self.values)
        order = np.argsort(sizes)
        return sizes[order], np.abs(self.spacing)[order]

    def reshaped(self, *shape: int) -> Quantity:
        """The same in another shape."""
        return self.mapped(lambda array: array.reshape(shape))

    def mapped(self, function: Callable[[Array], Array]) -> Quantity:
        """The same rearranged: `function` must only select and order."""
        return replace(self, values=function(self.values), spacing=function(self.spacing))

    def as_held(self) -> Quantity | None:
        """The same with the spacing of the narrower dtype that holds it all, or None if there is none."""
        if not self.held or precision_of(self.held) <= self.roundoff:
            return None
        wider = precision_of(self.held) / self.roundoff
        return replace(self, spacing=self.spacing * wider, dtype=self.held, held="")


def _narrowest(values: Array, dtype: str) -> str:
    """The narrowest dtype that holds all the values, which are stored as `dtype`."""
    parts = [values.real, values.imag] if np.iscomplexobj(values) else [values]
    held = dtype
    for name in ("float32", "bfloat16", "float16"):
        if precision_of(name) > precision_of(dtype) and all(_holds(name, part) for part in parts):
            held = name
    return held


def _holds(name: str, values: Array) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        if name == "bfloat16":  # the upper half of a float32
            single = values.astype(np.float32)
            upper = (np.ascontiguousarray(single).view(np.uint32) & 0xFFFF) == 0
            return bool(np.array_equal(single, values) and upper.all())
        return bool(np.array_equal(values.astype(name), values))


def quantity(values: Array, dtype: str, tensors: Sequence[str] = (), transform: str = "identity") -> Quantity:
    """The parameter g(t) of a stored tensor t, real or complex.

    Raises
    ------
    UnfitTensorError
        For dtypes that hold no parameters.
    """
    precision_of(dtype)
    direct = transform in ("identity", "negative")
    if np.iscomplexobj(values):
        if not direct:
            raise UnfitTensorError(f"{', '.join(tensors)}: a complex tensor is read as it is, not through {transform}")
        wide = values.astype(np.complex128)
        spacing = _complex(spacings(wide.real, dtype), spacings(wide.imag, dtype))
        values = wide if transform == "identity" else -wide
        return Quantity(values, spacing, dtype, tuple(tensors), direct, _narrowest(wide, dtype))
    wide = values.astype(np.float64)
    function, slope = TRANSFORMS[transform]
    with np.errstate(all="ignore"):
        # Evaluating g in the stored precision and in float64 differ by roundings of g itself: one spacing of the value.
        result, spacing = function(wide), slope(wide) * spacings(wide, dtype)
    # exp(-inf) is 0 exactly, where 0 times the infinite spacing is no number.
    spacing = np.where(np.isnan(spacing) & np.isfinite(result), 0.0, spacing)
    return Quantity(result, spacing, dtype, tuple(tensors), direct, _narrowest(wide, dtype))


def combined(real: Quantity, imaginary: Quantity) -> Quantity:
    """real + i imaginary, two real quantities of the same shape.

    Raises
    ------
    UnfitTensorError
        If the shapes differ, or one of the two is complex.
    """
    for part in (real, imaginary):
        if np.iscomplexobj(part.values):
            raise UnfitTensorError(
                f"{', '.join(part.tensors)} is complex, but must be the real or the imaginary part of a parameter; "
                "store real numbers there, or the complex ones alone"
            )
    if real.values.shape != imaginary.values.shape:
        shapes = f"{real.values.shape} and {imaginary.values.shape}"
        raise UnfitTensorError(
            f"{', '.join(real.tensors + imaginary.tensors)} have the shapes {shapes}; they must agree"
        )
    coarser = max((real, imaginary), key=lambda part: part.roundoff)
    values, spacing = _complex(real.values, imaginary.values), _complex(real.spacing, imaginary.spacing)
    direct = real.direct and imaginary.direct
    held = min(real.held or real.dtype, imaginary.held or imaginary.dtype, key=precision_of)
    return Quantity(values, spacing, coarser.dtype, (*real.tensors, *imaginary.tensors), direct, held)


def real_pairs(values: Array) -> Array:
    """A complex array from its view as pairs of reals, (..., 2)."""
    if values.shape[-1:] != (2,):
        raise UnfitTensorError(f"a complex number viewed as two reals needs a last length of 2, got {values.shape}")
    return _complex(values[..., 0].astype(np.float64), values[..., 1].astype(np.float64))
