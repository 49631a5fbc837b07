"""Operators that PyTorch's compiler takes as they are: one node of its graph, which runs the plain code.

Inductor (PyTorch 2.13, on processors) makes wrong gradients of complex products and solutions under `vmap`: those of S4 were
off by 1e-4 of their size up to all of it. The same graph without inductor was exact.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from hippo_theory.errors import InputError

__all__ = ["opaque"]

_Result = TypeVar("_Result")


def opaque(
    name: str,
    tensors: tuple[str, ...],
    sizes: tuple[str, ...],
    compute: Callable[..., Tensor],
    empty: Callable[..., Tensor],
) -> Callable[..., Tensor]:
    """The function `compute`, plainly outside of a compiler, and inside as the operator ``hippo_theory::name``.

    Parameters
    ----------
    name : str
    tensors, sizes : tuple of str
        The arguments of `compute` by name: tensors, then integers.
    compute : callable
        Returns one tensor.
    empty : callable
        From the same arguments, a tensor of the shape and dtype of the result.

    Returns
    -------
    callable
        Inside a compiler the backward pass computes `compute` anew, and differentiates that.
        Gradients inside are those of the backward pass: PyTorch refuses `torch.func.grad` of operators there.

    Raises
    ------
    InputError
        By that callable, inside a compiler, when second derivatives are taken: only the plain code has them.

    Examples
    --------
    >>> import torch
    >>> from hippo_theory.torch.opaque import opaque
    >>> doubled = opaque("doubled", ("x",), (), lambda x: 2 * x, torch.empty_like)
    >>> torch.compile(doubled, backend="eager", fullgraph=True)(torch.ones(2))
    tensor([2., 2.])
    """
    arguments = ", ".join([f"Tensor {tensor}" for tensor in tensors] + [f"SymInt {size}" for size in sizes])
    count = len(tensors)

    def value_of(*given: Any) -> Tensor:
        def value() -> Tensor:
            with torch.no_grad():
                return _fresh(compute(*given))

        return _in_a_new_thread(value, given[0])

    def gradients_of(gradient: Tensor, *given: Any) -> tuple[Tensor, ...]:
        def of_tensors(*values: Tensor) -> Tensor:
            return compute(*values, *given[count:])

        def gradients() -> tuple[Tensor, ...]:
            pulled: Any = torch.func.vjp(of_tensors, *given[:count])
            return tuple(_fresh(part) for part in pulled[1](gradient))

        return _in_a_new_thread(gradients, gradient)

    def empty_gradients(gradient: Tensor, *given: Any) -> tuple[Tensor, ...]:
        return tuple(_empty_like(tensor) for tensor in given[:count])

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:count])
        ctx.sizes = inputs[count:]

    def pull_back(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        return (*backward(gradient, *ctx.saved_tensors, *ctx.sizes), *[None] * len(sizes))

    def refuse(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        raise InputError(
            f"{name} has no second derivatives inside a compiler; take them of the module that is not compiled"
        )

    forward = torch.library.custom_op(
        f"hippo_theory::{name}",
        value_of,
        mutates_args=(),
        schema=f"({arguments}) -> Tensor",
    )
    backward = torch.library.custom_op(
        f"hippo_theory::{name}_backward",
        gradients_of,
        mutates_args=(),
        schema=f"(Tensor gradient, {arguments}) -> ({', '.join(['Tensor'] * count)})",
    )
    forward.register_fake(empty)
    forward.register_autograd(pull_back, setup_context=keep)
    backward.register_fake(empty_gradients)
    backward.register_autograd(refuse)

    def call(*given: Any) -> Tensor:
        return forward(*given) if torch.compiler.is_compiling() else compute(*given)

    return call


def _in_a_new_thread(compute: Callable[[], _Result], like: Tensor) -> _Result:
    """The result of plain code, run on the stream of the tensor `like`.

    The call of an operator switches autograd off, and under a mode (the first run of a compiled graph is under one) `vmap`
    and lazy conjugation too. All of this, and autocast, belongs to a thread: in a new one nothing is switched. The thread
    lives for one call, so that none is lost where a process forks.
    """
    stream = torch.cuda.current_stream(like.device) if like.is_cuda else None

    def on_stream() -> _Result:
        with torch.cuda.stream(stream):  # of None: nothing
            return compute()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(on_stream).result()


def _fresh(tensor: Tensor) -> Tensor:
    """As the compiler expects a result: contiguous, without lazy conjugation, and of memory of its own."""
    return tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)


def _empty_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)
