"""Trained parameters of a state space model: how a negative real part is kept, and starts rounded once from balls.

The real part of an eigenvalue is -g(p) for a parameter p and a positive function g (exp, softplus, relu) or the identity.
A start is the certified value of g^-1(-Re Lambda) and of everything else, rounded once to the dtype of the parameter:
a float32 parameter is the nearest float32 of the exact value, not of a float64.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flint import acb, arb
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, nearest_certified
from hippo_theory.errors import InputError
from hippo_theory.initializations import initialization
from hippo_theory.initializations.registry import find
from hippo_theory.systems import DiagonalPlusLowRankSystem, DiagonalSystem, HalfSystem, conjugate_half

__all__ = [
    "TRANSFORMS",
    "CertifiedStart",
    "Transform",
    "as_pairs",
    "certified_start",
    "exact_start",
    "find_transform",
    "random_outputs",
    "rounded",
    "softplus",
]

Array = NDArray[Any]
CertifiedStart = Callable[[Balls], HalfSystem]

_NAMES = {torch.float32: "float32", torch.float64: "float64"}


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + e^x); PyTorch's own default is x itself from 20 on, which is 2e-9 off in float64."""
    return torch.nn.functional.softplus(x, threshold=40.0)


@dataclass(frozen=True)
class Transform:
    """A positive function g of a parameter p.

    Attributes
    ----------
    name : str
        ``exp``, ``softplus``, ``relu`` or ``none``.
    parameter : str
        What the parameter is called in a state_dict: from it `validate` knows the function.
    value : callable
        g, on tensors.
    inverse : callable
        g^-1, on balls.
    """

    name: str
    parameter: str
    value: Callable[[torch.Tensor], torch.Tensor]
    inverse: Callable[[Any], Any]


TRANSFORMS = {
    transform.name: transform
    for transform in (
        Transform("exp", "log_decay", torch.exp, lambda x: x.log()),
        Transform("softplus", "softplus_decay", softplus, lambda x: x.expm1().log()),
        Transform("relu", "relu_decay", torch.relu, lambda x: x),
        Transform("none", "decay", lambda x: x, lambda x: x),
    )
}


def find_transform(name: str | None, start: HalfSystem) -> Transform:
    """The transform of that name; of None, exp where every real part of the start is negative, else relu.

    Raises
    ------
    InputError
        If there is none, or it cannot reach a real part of the start.
    """
    decays = [-acb(value).real for value in start.Lambda]
    if name is None:
        name = "exp" if all(bool(decay > 0) for decay in decays) else "relu"
    if name not in TRANSFORMS:
        raise InputError(f"`real_part` must be one of {', '.join(TRANSFORMS)}, got {name!r}")
    if name in ("exp", "softplus") and not all(bool(decay > 0) for decay in decays):
        raise InputError(
            f"`real_part` = {name!r} keeps real parts negative, but this start has one that is not; take 'relu' or 'none'"
        )
    if name == "relu" and any(bool(decay < 0) for decay in decays):
        raise InputError("`real_part` = 'relu' has no positive real parts, but this start has one; take 'none'")
    return TRANSFORMS[name]


# --- starts -------------------------------------------------------------------------------------------------------------


def exact_start(system: HalfSystem | DiagonalSystem | DiagonalPlusLowRankSystem) -> CertifiedStart:
    """A system of float64 numbers, taken as the exact numbers that they are; conjugate pairs are stored once."""
    half = system if isinstance(system, HalfSystem) else conjugate_half(system)

    def start(ring: Balls) -> HalfSystem:
        parts = {name: getattr(half, name) for name in ("Lambda", "B", "C", "P", "Q")}
        balls: dict[str, Any] = {name: None if array is None else ring.number(array) for name, array in parts.items()}
        return HalfSystem(**balls, multiplicity=half.multiplicity, discrete=half.discrete)

    return start


def certified_start(id: str, N: int, *, form: str = "diagonal", **options: Any) -> CertifiedStart:
    """The start of that id as a function of the precision, conjugate pairs stored once.

    Parameters
    ----------
    id : str
        As in `hippo_theory.initialization`. Families (``legs``, ``legt``, ``fout``, ``lagt``) need a `form`.
    N : int
        Full real state size.
    form : str
        ``diagonal`` or ``dplr``.
    **options
        What the start takes besides. Draws of random starts are exact numbers.

    Returns
    -------
    callable
        Takes `Balls`, returns a `HalfSystem` of balls. C is left open.

    Raises
    ------
    InputError
        As `hippo_theory.initialization`, or if a start has no low-rank form.

    Examples
    --------
    >>> from hippo_theory import balls
    >>> from hippo_theory.torch import certified_start
    >>> certified_start("s4d-legs", 3)(balls(64)).multiplicity
    array([2, 1])
    """
    entry = find(id)
    if entry.takes_form:
        options = {**options, "form": form}
    elif form == "dplr":
        raise InputError(f"{id} has no low-rank form; give one of the families, such as legs, legt or fout")
    if "arithmetic" in inspect.signature(entry.function).parameters:
        initialization(id, N, arithmetic=_probe(), **options)  # bad options raise here, not at the first use
        return lambda ring: _half(initialization(id, N, arithmetic=ring, **options))
    system = initialization(id, N, **options)
    if isinstance(system, DiagonalSystem | DiagonalPlusLowRankSystem):
        system = conjugate_half(system)
    if not isinstance(system, HalfSystem):
        raise InputError(f"{id} has no diagonal form; choose a start that has")
    fixed = exact_start(system)
    if id not in ("dss", "s5"):
        return fixed
    blocks = int(options.get("blocks", 1))

    def start(ring: Balls) -> HalfSystem:
        """Their eigenvalues are those of S4D-LegS: certified. B is 1 (dss), certified too, or drawn."""
        legs: Any = initialization("s4d-legs", N // blocks, arithmetic=ring)
        drawn = id == "dss" or "rng" in options
        B = fixed(ring).B if drawn else np.tile(legs.B, blocks)
        return HalfSystem(np.tile(legs.Lambda, blocks), B, multiplicity=system.multiplicity)

    return start


def _probe() -> Balls:
    from hippo_theory.arithmetic import balls

    return balls(64)


def _half(system: Any) -> HalfSystem:
    """The first of each conjugate pair; the starts list theirs by decreasing imaginary part."""
    if isinstance(system, HalfSystem):
        return system
    stored, N = (system.N + 1) // 2, system.N
    low_rank = isinstance(system, DiagonalPlusLowRankSystem)
    return HalfSystem(
        system.Lambda[:stored],
        system.B[:stored],
        multiplicity=np.array([2] * (N // 2) + [1] * (N % 2)),
        P=system.P[:stored] if low_rank else None,
        Q=system.Q[:stored] if low_rank else None,
    )


def rounded(compute: Callable[[Balls], Any], dtype: torch.dtype) -> torch.Tensor:
    """Balls, rounded once to a real dtype; complex ones become a trailing pair (real, imaginary).

    Raises
    ------
    InputError
        If the dtype is not float32 or float64.
    """
    if dtype not in _NAMES:
        raise InputError(
            f"`dtype` of the parameters must be torch.float32 or torch.float64, got {dtype}; narrower types are what "
            "autocast is for"
        )
    return torch.as_tensor(np.asarray(nearest_certified(compute, _NAMES[dtype], bits=128)))


def as_pairs(values: Any) -> Array:
    """Balls as pairs of real balls, (..., 2)."""
    flat = [part for value in np.asarray(values, dtype=object).ravel() for part in (acb(value).real, acb(value).imag)]
    pairs = np.empty(len(flat), dtype=object)
    pairs[:] = [arb(part) for part in flat]
    return pairs.reshape(*np.shape(values), 2)


def random_outputs(shape: tuple[int, ...], rng: np.random.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Complex normal numbers of variance 1 as pairs, (*shape, 2): how C starts in S4, S4D and DSS."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    wide = torch.randn(shape, dtype=torch.complex128, generator=generator)
    return torch.view_as_real(wide).to(dtype)
