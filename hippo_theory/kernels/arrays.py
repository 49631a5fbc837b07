"""Arrays of any library: which one they belong to, their precision and device, and what is refused before any work.

The float kernels are written against the array API standard. Each starts here: its arrays must come from one library
(NumPy, PyTorch, JAX, CuPy, array-api-strict, ...) and one device, hold float32, float64, complex64 or complex128, and
be finite; the result is of the same library and device and of the widest precision among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from hippo_theory.errors import InputError, checked_size

__all__ = [
    "ArrayKind",
    "broadcast_shape",
    "checked_arrays",
    "checked_lengths",
    "checked_shape",
    "checked_time_step",
    "one_or_many_outputs",
    "real_multiplicity",
]

# An array of any library, and a namespace of array functions: the standard gives neither a type.
AnyArray = Any
Namespace = Any


@dataclass(frozen=True)
class ArrayKind:
    """What the arrays of one call have in common.

    Attributes
    ----------
    xp : module
        The functions of the array API standard for their library.
    real, complex : dtype
        float32 and complex64, or float64 and complex128.
    device : device
    is_complex : bool
        Whether one of the arrays is complex.
    """

    xp: Namespace
    real: Any
    complex: Any
    device: Any
    is_complex: bool

    @property
    def epsilon(self) -> float:
        """Distance from 1 to the next number of the precision: 2^-52 or 2^-23."""
        return float(self.xp.finfo(self.real).eps)

    def indices(self, count: int, start: int = 0) -> AnyArray:
        """The real numbers start, start + 1, ..., start + count - 1, shape (count,)."""
        return self.xp.arange(start, start + count, dtype=self.real, device=self.device)

    def to_complex(self, array: AnyArray) -> AnyArray:
        """The array with the complex dtype."""
        return self.xp.astype(array, self.complex, copy=False)

    def has_complex(self, array: AnyArray) -> bool:
        """Whether the array is complex."""
        return bool(self.xp.isdtype(array.dtype, "complex floating"))

    def conjugate(self, array: AnyArray) -> AnyArray:
        """The complex conjugate, from its parts: PyTorch cannot conjugate several systems at once (`vmap`)."""
        if not self.has_complex(array):
            return array
        return self.to_complex(self.xp.real(array)) - 1j * self.to_complex(self.xp.imag(array))

    def widened(self) -> ArrayKind:
        """The same with float64 and complex128."""
        xp = self.xp
        return ArrayKind(xp, xp.float64, xp.complex128, self.device, self.is_complex)

    def converted(self, array: AnyArray) -> AnyArray:
        """The array in this precision, real or complex as it is."""
        return self.xp.astype(array, self.complex if self.has_complex(array) else self.real, copy=False)


def checked_arrays(check_values: bool, /, **arrays: AnyArray) -> tuple[ArrayKind, list[AnyArray]]:
    """The common kind of arrays given by name, and the arrays in its precision, each real or complex as it was.

    Parameters
    ----------
    check_values : bool
        Whether NaN and infinity are refused. It needs the values, and so breaks the graph of a compiler.

    Raises
    ------
    InputError
        If one is not an array, libraries or devices are mixed, a dtype is not floating, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels.arrays import checked_arrays
    >>> kind, (A, B) = checked_arrays(True, A=np.ones(2, "complex64"), B=np.ones(2, "float32"))
    >>> str(A.dtype), str(B.dtype), kind.is_complex
    ('complex64', 'float32', True)
    """
    for name, array in arrays.items():
        if not array_api_compat.is_array_api_obj(array):
            raise InputError(f"`{name}` must be an array, got {type(array).__name__}; wrap it: numpy.asarray(...)")
    names = ", ".join(f"`{name}`" for name in arrays)
    try:
        xp = array_api_compat.array_namespace(*arrays.values())
    except TypeError:
        raise InputError(f"{names} come from different array libraries; convert them to one") from None
    devices = [array_api_compat.device(array) for array in arrays.values()]
    if any(device != devices[0] for device in devices):
        places = ", ".join(str(device) for device in devices)
        raise InputError(f"{names} are on different devices ({places}); move them to one")
    supported = (xp.float32, xp.float64, xp.complex64, xp.complex128)
    for name, array in arrays.items():
        if not any(array.dtype == dtype for dtype in supported):
            raise InputError(
                f"`{name}` must be float32, float64, complex64 or complex128, got {array.dtype}; convert it"
            )
        if check_values and not bool(xp.all(xp.isfinite(array))):
            raise InputError(f"`{name}` holds NaN or infinity; give finite numbers")
    dtypes = [array.dtype for array in arrays.values()]
    double = any(dtype == wide for dtype in dtypes for wide in (xp.float64, xp.complex128))
    is_complex = any(dtype == wide for dtype in dtypes for wide in (xp.complex64, xp.complex128))
    real, complex_ = (xp.float64, xp.complex128) if double else (xp.float32, xp.complex64)
    kind = ArrayKind(xp, real, complex_, devices[0], is_complex)
    return kind, [kind.converted(array) for array in arrays.values()]


def broadcast_shape(**arrays: AnyArray) -> tuple[int, ...]:
    """The shape to which arrays given by name broadcast, or `InputError`."""
    try:
        return np.broadcast_shapes(*(tuple(array.shape) for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"`{name}` {tuple(array.shape)}" for name, array in arrays.items())
        raise InputError(f"the shapes {shapes} do not fit; all must broadcast to (..., N)") from None


def checked_lengths(L: int, **arrays: AnyArray) -> tuple[int, int]:
    """N and L: the common last length of arrays of shape (..., N), and the number of lags, both at least 1.

    Raises
    ------
    InputError
        If the last lengths differ (nothing is stretched there), one is 0, or L is not an integer of at least 1.
    """
    for name, array in arrays.items():
        if array.ndim == 0 or array.shape[-1] == 0:
            raise InputError(f"`{name}` must have the shape (..., N) with N >= 1, got {tuple(array.shape)}")
    lengths = {name: int(array.shape[-1]) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        shapes = ", ".join(f"`{name}` {tuple(array.shape)}" for name, array in arrays.items())
        raise InputError(f"the shapes {shapes} differ in N, their last length; give each a value for every state")
    broadcast_shape(**arrays)
    return next(iter(lengths.values())), checked_size("L", L, 1)


def checked_shape(name: str, array: AnyArray, *shape: int | None) -> None:
    """Raise `InputError` unless the array has that shape (None: any length of at least 1)."""
    fits = array.ndim == len(shape) and all(
        got >= 1 if want is None else got == want for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise InputError(f"`{name}` must have the shape ({wanted}), got {tuple(array.shape)}; reshape it")


def one_or_many_outputs(C: AnyArray, N: int) -> tuple[int, ...]:
    """The shape of the outputs that C selects: () for C of shape (N,), (K,) for (K, N), else `InputError`."""
    if C.ndim not in (1, 2) or C.shape[-1] != N or C.shape[0] == 0:
        raise InputError(f"`C` must have the shape ({N},) or (K, {N}), got {tuple(C.shape)}; reshape it")
    return tuple(C.shape[:-1])


def checked_time_step(kind: ArrayKind, dt: Any, check_values: bool) -> Any:
    """The step in the precision of `kind`, an array of shape (..., 1) if an array was given, or `InputError`."""
    if isinstance(dt, np.generic):
        dt = dt.item()
    if not array_api_compat.is_array_api_obj(dt):
        try:
            if isinstance(dt, bool):
                raise TypeError
            value = float(dt)
        except (TypeError, ValueError):
            raise InputError(f"`dt` must be a number or an array, got {dt!r}") from None
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"`dt` must be positive and finite, got {dt}")
        return kind.xp.asarray(value, dtype=kind.real, device=kind.device)
    if array_api_compat.array_namespace(dt) is not kind.xp or array_api_compat.device(dt) != kind.device:
        raise InputError("`dt` comes from another library or device than the other arrays; convert it")
    if not kind.xp.isdtype(dt.dtype, "real floating"):
        raise InputError(f"`dt` must be real, float32 or float64, got {dt.dtype}; convert it")
    if check_values and not bool(kind.xp.all((dt > 0) & kind.xp.isfinite(dt))):
        raise InputError("`dt` must be positive and finite everywhere; give exp of the logarithm that is learned")
    return kind.converted(dt[..., None] if dt.ndim else dt)


def real_multiplicity(kind: ArrayKind, multiplicity: Sequence[int] | AnyArray, N: int) -> AnyArray:
    """Multiplicities 1 and 2 of stored states as a real array (N,), or `InputError`; a tuple inside a compiler."""
    try:
        counts = [float(count) for count in multiplicity]
    except (TypeError, ValueError):
        counts = []
    if len(counts) != N or any(count not in (1.0, 2.0) for count in counts):
        raise InputError(f"`multiplicity` must be {N} numbers, 2 (a stored conjugate pair) or 1 (a real state)")
    return kind.xp.asarray(counts, dtype=kind.real, device=kind.device)
