"""What the kernel modules share: eigenvalues, B, C and steps as parameters, and the precision they are computed in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from hippo_theory.arithmetic import balls, exact_fraction
from hippo_theory.discretizations import DISCRETIZATIONS, Discretization, find_discretization, generalized_bilinear
from hippo_theory.errors import InputError
from hippo_theory.initializations import step_sizes
from hippo_theory.systems import HalfSystem
from hippo_theory.torch.parameters import (
    TRANSFORMS,
    CertifiedStart,
    Transform,
    as_pairs,
    find_transform,
    random_outputs,
    rounded,
)

__all__ = ["Kernel"]


def wide(x: Tensor) -> Tensor:
    """A parameter in float64.

    Raises
    ------
    InputError
        If the module was cast to a narrower type, in which rates and steps have lost their digits.
    """
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"the parameters of a kernel must be float32 or float64, got {x.dtype}; leave the kernel in float32 and run "
            "the model under torch.autocast"
        )
    return x.double()


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Autocast would take the products of a kernel in bfloat16."""
    context: AbstractContextManager[Any] = torch.autocast(device_type=x.device.type, enabled=False)
    return context


def generator_or_seeded(rng: np.random.Generator | None) -> np.random.Generator:
    """The generator, or one that `torch.manual_seed` governs."""
    return np.random.default_rng(int(torch.randint(2**62, ()).item())) if rng is None else rng


class Kernel(nn.Module):
    """What all kernels have: stored eigenvalues, B, C and steps as parameters, and ways back to the theory.

    A subclass says how they make a kernel. Parameters of the state (`state_parameters`) are trained slowly and without
    weight decay, see `optimizer_groups`; those that are frozen are buffers, so that a state_dict has them all the same.
    """

    #: Parameters of A, B and dt, which the papers train with a small rate and without weight decay.
    state_parameters: ClassVar[frozenset[str]] = frozenset(
        {"log_decay", "softplus_decay", "relu_decay", "decay", "frequency", "B", "P", "log_dt"}
        | {"nu_log", "theta_log", "gamma_log"}
    )
    multiplicity: tuple[int, ...]
    transform: Transform
    discretization: Discretization
    C: Tensor
    frequency: Tensor
    log_dt: Tensor
    _pairs: Tensor

    def _set_states(self, start: CertifiedStart, dtype: torch.dtype, real_part: str | None) -> HalfSystem:
        """Keep the transform and the multiplicities of a start; returns it at a low precision, for its shapes."""
        shapes = start(balls(64))
        self.transform = find_transform(real_part, shapes)
        self.multiplicity = tuple(int(count) for count in shapes.multiplicity)
        is_pair = torch.tensor([[1.0, float(count == 2)] for count in self.multiplicity], dtype=dtype)
        self.register_buffer("_pairs", is_pair, persistent=False)
        return shapes

    def _store(self, name: str, value: Tensor, trained: bool) -> None:
        value = value.detach().clone().contiguous()
        if trained:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def _store_eigenvalues(self, start: CertifiedStart, H: int | None, dtype: torch.dtype, trained: bool) -> None:
        """-Re Lambda through the inverse of its transform, and Im Lambda, (H, n) or (n,)."""
        decay = rounded(
            lambda ring: [self.transform.inverse(-part) for part in as_pairs(start(ring).Lambda)[:, 0]], dtype
        )
        frequency = rounded(lambda ring: as_pairs(start(ring).Lambda)[:, 1], dtype)
        self._store(self.transform.parameter, repeated(decay, H), trained)
        self._store("frequency", repeated(frequency, H), trained)

    def _complex(self, name: str, axis: int = -2) -> Tensor:
        """A parameter stored as pairs, complex128; imaginary parts of real states stay zero."""
        pairs: Tensor = getattr(self, name)
        mask = self._pairs if axis == -2 else self._pairs[:, None, :]
        return torch.view_as_complex(wide(pairs * mask))

    @property
    def dtype(self) -> torch.dtype:
        """float32 or float64: of the parameters and of the kernel."""
        return self._pairs.dtype

    @property
    def stored(self) -> int:
        """Number of stored states of a channel."""
        return len(self.multiplicity)

    @property
    def N(self) -> int:
        """Full real state size of a channel."""
        return sum(self.multiplicity)

    @property
    def Lambda(self) -> Tensor:
        """Stored eigenvalues, (H, n) or (n,), complex128."""
        decay = self.transform.value(wide(getattr(self, self.transform.parameter)))
        return torch.complex(-decay, wide(self.frequency * self._pairs[:, 1]))

    @property
    def dt(self) -> Tensor:
        """Steps, float64: exp of what is stored as ``log_dt``."""
        return torch.exp(wide(self.log_dt))

    def forward(self, L: int) -> Tensor:
        """The kernels at L lags in the dtype of the parameters, (H, L); of S5 and LRU (K, H, L).

        Outside of autocast, and rounded once from what `_values` computes. The softmax of DSS depends on L in every lag.
        """
        with without_autocast(self.C):
            return self._values(L).to(self.dtype)

    def _values(self, L: int) -> Tensor:
        """What a subclass computes: the kernels, in float64 or in the dtype of the parameters."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: functions by what they are found by."""
        state = super().__getstate__()
        return {name: _by_name(value) for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({name: value() if isinstance(value, partial) else value for name, value in state.items()})

    def extra_repr(self) -> str:
        """Sizes and dtype."""
        return f"N={self.N}, stored={self.stored}, dtype={self.dtype}"


def _transform_named(name: str) -> Transform:
    return TRANSFORMS[name]


def _by_name(value: Any) -> Any:
    """What finds a transform or a discretization again, whose functions no pickle holds; other values unchanged."""
    if isinstance(value, Transform) and TRANSFORMS.get(value.name) == value:
        return partial(_transform_named, value.name)
    if isinstance(value, Discretization) and DISCRETIZATIONS.get(value.name) == value:
        return partial(find_discretization, value.name)
    if isinstance(value, Discretization) and value.alpha is not None:
        return partial(generalized_bilinear, value.alpha)
    return value


def repeated(value: Tensor, H: int | None) -> Tensor:
    return value if H is None else value.expand(H, *value.shape)


def log_steps(dt: Any, H: int, rng: np.random.Generator, dtype: torch.dtype) -> Tensor:
    """log dt as a parameter, (H,): of given steps, or of a range in which log dt is drawn uniformly."""
    if isinstance(dt, tuple):
        if len(dt) != 2:
            raise InputError(f"`dt` must be a step, {H} steps, or a range (smallest, largest), got {dt!r}")
        steps = step_sizes(H, rng=rng, smallest=dt[0], largest=dt[1])
    else:
        steps = np.asarray(dt, dtype=object)
        if steps.shape not in ((), (H,)):
            raise InputError(f"`dt` must be one step or {H} steps, got the shape {steps.shape}")
    fractions = [exact_fraction(step) for step in np.broadcast_to(steps, (H,)).tolist()]
    if not all(step > 0 for step in fractions):
        raise InputError(f"`dt` must be positive, got {dt!r}")
    return rounded(lambda ring: [ring.number(step).log() for step in fractions], dtype)


def given_outputs(C: Any, shape: tuple[int, ...], rng: np.random.Generator, dtype: torch.dtype) -> Tensor:
    """C as pairs: given, (..., n) complex, or drawn."""
    if C is None:
        return random_outputs(shape, rng, dtype)
    values = torch.as_tensor(np.asarray(C.detach().cpu() if isinstance(C, Tensor) else C)).to(torch.complex128)
    try:
        values = values.expand(shape)
    except RuntimeError:
        raise InputError(f"`C` must broadcast to {shape}, got the shape {tuple(values.shape)}; reshape it") from None
    return torch.view_as_real(values.contiguous()).to(dtype)
