"""Parameters of other codebases, read and written through the layouts of `hippo_theory.validation`.

A layout says which tensors hold what, through which function. What it cannot say, how a codebase makes a kernel of them,
is one `Reading` here: the module, the method, the factor of C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hippo_theory.errors import InputError
from hippo_theory.systems import HalfSystem
from hippo_theory.torch.channel_kernels import DSSKernel, S4DKernel, S4Kernel
from hippo_theory.torch.kernel_base import Kernel
from hippo_theory.torch.matrix_kernels import S5Kernel
from hippo_theory.torch.parameters import exact_start
from hippo_theory.validation.layouts import LAYOUTS, Layout, Source, StoredTensor
from hippo_theory.validation.reading import Parameters, read_layouts
from hippo_theory.validation.stored_systems import tensors_of

__all__ = ["READINGS", "Reading", "from_layout", "to_layout"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """How a codebase makes a kernel of the tensors of a layout.

    Attributes
    ----------
    layout : str
    module : type
    factor : float
        Our C over theirs: they take ``Re C x``, we twice the real part over stored pairs, unless they do so too.
    method : str
    output : str
        The tensor that holds C.
    all_states : bool
        All N states are stored, of which we keep one of each pair.
    multiplicity : int
        1 for codebases with real states.
    """

    layout: str
    module: type[Kernel]
    factor: float = 1.0
    method: str = "zoh"
    output: str = "C"
    all_states: bool = False
    multiplicity: int = 2


READINGS: dict[str, Reading] = {
    reading.layout: reading
    for reading in (
        Reading("s4-v4", S4DKernel),  # S4Kernel where there is a P
        Reading("s4d-minimal", S4DKernel),
        Reading("annotated-s4", S4Kernel, all_states=True),
        Reading("s5", S5Kernel),
        Reading("dss", DSSKernel, factor=0.5, output="W"),
        Reading("dss-exp", DSSKernel, factor=0.5, output="W"),
        Reading("mamba", S4DKernel, multiplicity=1),
    )
}

_INVERSES: dict[str, Any] = {
    "identity": lambda x: x,
    "negative": lambda x: -x,
    "exp": torch.log,
    "negative exp": lambda x: torch.log(-x),
    "softplus": lambda x: x + torch.log(-torch.expm1(-x)),
}


def from_layout(
    tensors: str | Mapping[str, Any], *, layer: str | None = None, dtype: torch.dtype = torch.float32, **options: Any
) -> Any:
    """The kernel module of a layer that another codebase stores.

    Parameters
    ----------
    tensors : path, or mapping of str to array
        A file of tensors or a state_dict.
    layer : str, optional
        What the names of its tensors begin with, where there are several layers.
    dtype : dtype
    **options
        As the constructor of the module, such as ``trains_B=False``.

    Returns
    -------
    S4DKernel, S4Kernel, S5Kernel or DSSKernel
        The module whose kernel is theirs, up to rounding: official S4 (v4: diagonal, low rank, minimal S4D),
        annotated-s4, S5, DSS, and A and dt of Mamba (B = 1; C, which Mamba makes of its input, is drawn).

    Raises
    ------
    InputError
        No such layer, several layers, a layout that is not read, or what our module cannot express: more than one
        channel group, separate systems for groups of heads, states that are not conjugate pairs.

    Notes
    -----
    Official S4 stores C (I - Abar^L) once a first forward pass has been made and says so in ``l_kernel``; C itself is
    restored then.

    Examples
    --------
    >>> import torch
    >>> from hippo_theory.torch import S4DKernel, from_layout, to_layout
    >>> ours = S4DKernel.from_initialization("s4d-lin", N=8, H=2, dtype=torch.float64)
    >>> theirs = to_layout(ours, "s4-v4")
    >>> sorted(theirs), bool((from_layout(theirs, dtype=torch.float64)(50) - ours(50)).abs().max() < 1e-14)
    (['A_imag', 'A_real', 'B', 'C', 'inv_dt'], True)
    """
    stored = tensors_of(tensors)
    found = [part for part in read_layouts(stored) if layer is None or part.prefix.startswith(layer)]
    if len(found) != 1:
        names = ", ".join(sorted({part.prefix or "(no prefix)" for part in found})) or "none"
        raise InputError(f"`tensors` must hold one layer, found {names}; choose one with `layer`")
    (part,) = found
    if part.kind == "unread" or part.layout not in READINGS:
        known = ", ".join(READINGS)
        raise InputError(
            f"the layout {part.layout!r} is not read as a module; those of {known} are{part.why and ': '}{part.why}"
        )
    reading = READINGS[part.layout]
    if reading.module is S5Kernel:
        return _s5(part, dtype, options)
    return _channels(part, reading, dtype, options)


def _tensor(part: Parameters, name: str) -> StoredTensor:
    if name not in part.others:
        raise InputError(f"`tensors` lacks {part.prefix}{name}, which the layout {part.layout} needs")
    return part.others[name]


def _output(part: Parameters, reading: Reading) -> Array:
    """C as (H, n), in our sense."""
    values = _tensor(part, reading.output).quantity(pairs=True).values
    if part.layout == "annotated-s4":
        return np.moveaxis(values, 0, -1) * reading.factor
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim != 2:
        raise InputError(
            f"{part.prefix}{reading.output} has the shape {values.shape}; modules have one output a channel"
        )
    return values * reading.factor


def _channels(part: Parameters, reading: Reading, dtype: torch.dtype, options: dict[str, Any]) -> Kernel:
    stored = part.Lambda.values.astype(np.complex128)
    steps, Lambda = _steps(part, stored)
    H, n = len(steps), Lambda.shape[1]
    Lambda = np.broadcast_to(Lambda, (H, n)) if len(Lambda) == 1 else Lambda
    if len(Lambda) != H:
        raise InputError(f"{part.prefix}: {len(Lambda)} systems for {H} channels; modules have one for each channel")
    C = _output(part, reading) if reading.output in part.others and reading.multiplicity == 2 else None
    if C is not None and Lambda is not stored:
        C = C * Lambda / stored  # their kernel divides W by the rates before the second step
    B = np.ones((H, n), dtype=np.complex128) if part.B is None else np.broadcast_to(part.B.values + 0j, (H, n))
    P = None if part.P is None else np.broadcast_to(part.P.values + 0j, (H, n, part.P.values.shape[2]))
    multiplicity = np.full(n, reading.multiplicity)
    if reading.all_states:
        assert C is not None
        assert P is not None
        Lambda, B, C, P, multiplicity = _one_of_each_pair(part, Lambda, B, C, P)
    first = HalfSystem(
        Lambda[0], B[0], multiplicity=multiplicity, P=None if P is None else P[0], Q=None if P is None else P[0]
    )
    module: Any = S4Kernel if P is not None else reading.module
    if reading.module is DSSKernel:
        options = {"variant": "exp" if part.layout == "dss-exp" else "softmax", **options}
    elif module is S4DKernel:
        options = {"method": reading.method, **options}
    kernel: Any = module(exact_start(first), H, dt=steps.tolist(), C=C, dtype=dtype, **options)
    _fill(kernel, Lambda, B, P)
    if "l_kernel" in part.others and P is not None:
        _restore(kernel, int(np.asarray(part.others["l_kernel"].read())))
    return kernel


def _steps(part: Parameters, Lambda: Array) -> tuple[Array, Array]:
    """dt (H,), and the rates; DSS stores two steps by default, for real and imaginary parts, here dt and a factor of Im."""
    if part.step is None:
        raise InputError(f"{part.prefix}: no step is stored; modules need one for each channel")
    steps = part.step.values.astype(np.float64)
    if part.layout.startswith("dss") and steps.ndim == 2 and steps.shape[1] == 2:
        ratio = steps[:, 1:] / steps[:, :1]
        return steps[:, 0], Lambda.real + 1j * Lambda.imag * ratio
    return steps.ravel(), Lambda


def _one_of_each_pair(
    part: Parameters, Lambda: Array, B: Array, C: Array, P: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """The upper half of N states whose phases are made conjugate: B real and positive, P and C turned with it."""
    order = np.argsort(-Lambda.imag, axis=1, kind="stable")
    Lambda, B, C = (np.take_along_axis(array, order, axis=1) for array in (Lambda, B, C))
    P = np.take_along_axis(P, order[..., None], axis=1)
    phase = np.where(B == 0, 1, B / np.where(B == 0, 1, np.abs(B)))
    B, P, C = np.abs(B) + 0j, P / phase[..., None], C * phase
    tolerance = 1e-4 * np.abs(Lambda).max()  # eigenvectors in complex64 are good to about N eps N
    if not np.allclose(Lambda, Lambda[:, ::-1].conj(), rtol=0, atol=tolerance):
        raise InputError(
            f"{part.prefix}: the eigenvalues are not conjugate pairs (any more); the kernel is not of our form"
        )
    if not np.allclose(P, P[:, ::-1].conj(), rtol=0, atol=1e-3 * np.abs(P).max()):
        raise InputError(f"{part.prefix}: P and B are not conjugate in pairs; the kernel is not of our form")
    # Re sum of C x over all states: a state and its conjugate share the mean of C and conj C.
    C = (C + C[:, ::-1].conj()) / 2
    N, stored = Lambda.shape[1], (Lambda.shape[1] + 1) // 2
    half = [array[:, :stored].copy() for array in (Lambda, B, C, P)]
    if N % 2:
        half = [_real_last(array) for array in half]
    multiplicity = np.array([2] * (N // 2) + [1] * (N % 2))
    return half[0], half[1], half[2], half[3], multiplicity


def _real_last(array: Array) -> Array:
    array[:, -1] = array[:, -1].real
    return array


def _fill(kernel: Any, Lambda: Array, B: Array, P: Array | None) -> None:
    """Values that differ from channel to channel."""
    with torch.no_grad():
        inverse = {"exp": torch.log, "softplus": _INVERSES["softplus"]}.get(
            kernel.transform.name, _INVERSES["identity"]
        )
        getattr(kernel, kernel.transform.parameter).copy_(inverse(torch.tensor(-Lambda.real)))
        kernel.frequency.copy_(torch.tensor(Lambda.imag))
        if hasattr(kernel, "B"):
            kernel.B.copy_(torch.view_as_real(torch.tensor(np.ascontiguousarray(B))))
        if P is not None:
            rows = torch.tensor(np.ascontiguousarray(np.moveaxis(P, -1, 0)))
            kernel.P.copy_(torch.view_as_real(rows))


def _restore(kernel: S4Kernel, L: int) -> None:
    """C from the C (I - Abar^L) that is stored."""
    from hippo_theory.kernels import restored_output

    if L == 0:
        return
    with torch.no_grad():
        step = kernel.recurrence()
        C = torch.stack([restored_output(c, A, L) for c, A in zip(step.C, step.Abar, strict=True)])
        kernel.C.copy_(torch.view_as_real(C[:, : kernel.stored].contiguous()))


def _s5(part: Parameters, dtype: torch.dtype, options: dict[str, Any]) -> S5Kernel:
    if part.step is None:
        raise InputError(f"{part.prefix}: no step is stored; S5 has one for each state")
    Lambda = part.Lambda.values[0].astype(np.complex128)
    n = len(Lambda)
    B, C = (_tensor(part, name).quantity(pairs=True).values for name in ("B", "C"))
    half = HalfSystem(Lambda, np.ones(n), multiplicity=np.full(n, 2))
    steps = np.broadcast_to(part.step.values.ravel(), (n,)).tolist()
    if B.shape[0] != n or C.shape[1] != n:
        raise InputError(
            f"{part.prefix}B and C have the shapes {B.shape} and {C.shape}; modules need ({n}, H) and (K, {n})"
        )
    return S5Kernel(exact_start(half), B.shape[1], K=C.shape[0], B=B, C=C, dt=steps, dtype=dtype, **options)


# --- writing ------------------------------------------------------------------------------------------------------------


def to_layout(kernel: Any, layout: str, *, prefix: str = "") -> dict[str, Tensor]:
    """The parameters of a kernel module as another codebase stores them.

    Parameters
    ----------
    kernel : S4DKernel, S4Kernel, S5Kernel or DSSKernel
    layout : str
        ``s4-v4``, ``s4d-minimal``, ``annotated-s4``, ``s5``, ``dss``, ``dss-exp`` or ``mamba`` (A and dt only).
    prefix : str
        Put before each name.

    Returns
    -------
    dict of str to Tensor
        In the dtype of the module; only tensors that the layout reads, and C.

    Raises
    ------
    InputError
        An unknown layout, or a module that the codebase cannot express, such as a B that its kernel has not.

    Examples
    --------
    >>> from hippo_theory.torch import S4DKernel, to_layout
    >>> kernel = S4DKernel.from_initialization("mamba-real", N=4, H=2)
    >>> to_layout(kernel, "mamba")["A_log"].exp().round(decimals=4)
    tensor([[1., 2., 3., 4.],
            [1., 2., 3., 4.]])
    """
    if layout not in READINGS:
        raise InputError(f"unknown layout {layout!r}; choose one of {', '.join(READINGS)}")
    entry = next(found for found in LAYOUTS if found.name == layout)
    reading = READINGS[layout]
    if not isinstance(kernel, reading.module) and not (layout == "s4-v4" and isinstance(kernel, S4Kernel)):
        raise InputError(f"{layout} stores a {reading.module.__name__}, got {type(kernel).__name__}")
    if any(count != reading.multiplicity for count in kernel.multiplicity):
        raise InputError(
            f"{layout} stores states of multiplicity {reading.multiplicity} only, got {kernel.multiplicity}"
        )
    with torch.no_grad():
        tensors = _written(kernel, entry, reading)
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _stored(values: Tensor, source: Source, dtype: torch.dtype) -> Tensor:
    stored = _INVERSES[source.transform](values)
    if torch.is_complex(stored):
        stored = torch.view_as_real(stored.resolve_conj().contiguous()) if source.pairs else stored
    return stored.to(dtype if not torch.is_complex(stored) else stored.dtype).clone()


def _written(kernel: Any, entry: Layout, reading: Reading) -> dict[str, Tensor]:
    dtype, Lambda = kernel.dtype, kernel.Lambda
    if reading.layout.startswith("dss"):
        if not bool((Lambda == Lambda[0]).all()):
            raise InputError("DSS shares its eigenvalues over all channels; those of this module differ")
        variant = "exp" if reading.layout == "dss-exp" else "softmax"
        if kernel.variant != variant:
            raise InputError(f"{reading.layout} is the {variant} variant, got a module of {kernel.variant}")
        Lambda = Lambda[0]
    has_C = reading.multiplicity == 2
    C = kernel._complex("C") / reading.factor if has_C else None
    B = kernel._complex("B", 0 if isinstance(kernel, S5Kernel) else -2) if hasattr(kernel, "B") else None
    if entry.B is None and not entry.input_per_state and B is not None and isinstance(kernel, S4DKernel):
        if not has_C and bool((B != 1).any()):
            raise InputError(f"{reading.layout} has no B of its own; this module has one that is not 1")
        C, B = None if C is None else C * B, None  # the kernel knows the product only
    if reading.all_states:
        full = kernel._full
        Lambda, B, C = full(Lambda).mT, full(B).mT, full(C).mT  # (N, H)
    roles: dict[str, tuple[Source | None, Tensor | None]] = {
        "real": (entry.real, Lambda if entry.imaginary is None else Lambda.real),
        "imaginary": (entry.imaginary, Lambda.imag),
        "step": (entry.step, kernel.dt),
        "B": (Source("B", pairs=True) if entry.input_per_state else entry.B, B),
        "C": (Source(reading.output, pairs=True), C),
    }
    if reading.multiplicity == 1:
        roles["real"] = (entry.real, Lambda.real)
    tensors = {
        source.tensor: _stored(values, source, dtype)
        for source, values in roles.values()
        if source is not None and values is not None
    }
    if isinstance(kernel, S4Kernel) and entry.P is not None:
        P = kernel._complex("P")  # (r, H, n)
        if reading.all_states:
            if len(P) != 1:
                raise InputError(f"{reading.layout} has a low-rank term of rank 1, got {len(P)}")
            P = kernel._full(P)[0].mT
        tensors[entry.P.tensor] = _stored(P, entry.P, dtype)
    return _shaped(tensors, reading.layout, entry, dtype)


def _shaped(tensors: dict[str, Tensor], layout: str, entry: Layout, dtype: torch.dtype) -> dict[str, Tensor]:
    """Axes of length 1, and complex dtypes, as the codebases have them."""
    narrow = torch.complex64 if dtype == torch.float32 else torch.complex128
    for name, tensor in tensors.items():
        if (layout, name) in (("s4-v4", "B"), ("s4-v4", "C"), ("dss", "W"), ("dss-exp", "W")):
            tensors[name] = tensor[None]
        elif layout in ("s4-v4", "s5") and entry.step is not None and name == entry.step.tensor:
            tensors[name] = tensor[:, None]
        elif layout == "annotated-s4" and name == "log_step":
            tensors[name] = tensor[None]
        elif torch.is_complex(tensor):
            tensors[name] = tensor.to(narrow)
    return tensors
