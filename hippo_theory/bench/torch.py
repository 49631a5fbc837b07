"""Rows of the torch adapter: a layer of S4D, forward and backward, against the formula as it is usually written.

The peer forms the whole Vandermonde matrix in eager mode, as reference code does:

    K = 2 Re((C (e^(dt A) - 1)/A)[..., None] * e^(dt A[..., None] l)).sum(-2).

Both layers end in the same FFT convolution; time and peak memory are of one forward and backward pass.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hippo_theory.arithmetic import balls, exact_fraction
from hippo_theory.bench.framework import Row, benchmark, largest_error, ratio_row
from hippo_theory.kernels import certified_kernel, exact_exponential_sum

__all__ = ["s4d_layer_row"]


@benchmark(
    "torch-s4d-layer", "S4D layer on a GPU, H = 512, N = 64, L = 16,384, batch 8, forward and backward", quick=False
)
def _torch_s4d_layer(quick: bool) -> Iterator[Row]:
    try:
        import torch
    except ImportError:
        yield {"why": 'not measured: needs PyTorch (pip install "hippo_theory[torch]")'}
        return
    if not torch.cuda.is_available():
        yield {"why": "not measured: needs a GPU"}
        return
    yield s4d_layer_row(512, 64, 16_384, 8, "cuda", repeats=3 if quick else 20)


def s4d_layer_row(H: int, N: int, L: int, batch: int, device: str, repeats: int = 5) -> Row:
    """One row: seconds, peak bytes (on a GPU), their ratios, and errors against the certified kernel.

    Parameters
    ----------
    H, N, L, batch : int
    device : str
        ``cuda`` or ``cpu`` (where peak memory is not measured).
    repeats : int

    Returns
    -------
    Row
        ``ours_s, peer_s, ratio``; ``memory_ratio``, ``ours_bytes``, ``peer_bytes`` (null on a processor); ``error`` and
        ``peer_error``, of the largest value of a channel, in float32.
    """
    import torch

    from hippo_theory.torch import S4D, causal_convolution

    torch.manual_seed(0)
    layer = S4D.from_initialization("s4d-legs", N=N, H=H).to(device)
    u = torch.randn(batch, L, H, device=device)
    kernel = layer.kernel

    def peer_kernel() -> Any:
        A = torch.complex(-torch.exp(kernel.log_decay), kernel.frequency)
        B, C = torch.view_as_complex(kernel.B), torch.view_as_complex(kernel.C)
        x = A * torch.exp(kernel.log_dt)[:, None]
        powers = torch.exp(x[..., None] * torch.arange(L, device=device))
        return 2 * ((C * B * (torch.exp(x) - 1) / A)[..., None] * powers).sum(-2).real

    def peer() -> Any:
        return causal_convolution(u.transpose(1, 2), peer_kernel()).transpose(1, 2) + layer.D * u

    ours_s, ours_bytes = _measured(lambda: layer(u), layer, repeats, device)
    peer_s, peer_bytes = _measured(peer, layer, repeats, device)
    with torch.no_grad():
        errors = [_kernel_error(kernel, values) for values in (kernel(L)[0], peer_kernel()[0])]
    ratio = peer_bytes / ours_bytes if ours_bytes and peer_bytes else None
    memory = {"ours_bytes": ours_bytes, "peer_bytes": peer_bytes, "memory_ratio": ratio}
    name = f"torch {torch.__version__} eager, whole Vandermonde matrix, complex64, {_device_name(device)}"
    return ratio_row(ours_s, name, peer_s, **memory, error=errors[0], peer_error=errors[1], sizes=[H, N, L, batch])


def _device_name(device: str) -> str:
    import torch

    return str(torch.cuda.get_device_name()) if device == "cuda" else "processor"


def _measured(forward: Callable[[], Any], layer: Any, repeats: int, device: str) -> tuple[float, int | None]:
    """Median seconds, and peak bytes, of a forward and backward pass."""
    import torch

    def once() -> float:
        layer.zero_grad(set_to_none=True)
        _synchronize(device)
        start = time.perf_counter()
        forward().square().mean().backward()
        _synchronize(device)
        return time.perf_counter() - start

    once()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(once() for _ in range(repeats))
    return seconds, int(torch.cuda.max_memory_allocated()) if device == "cuda" else None


def _synchronize(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _kernel_error(kernel: Any, values: Any) -> float:
    """Largest error of the kernel of channel 0 over its largest value, at 200 equidistant lags, certified."""
    system, step = kernel.to_system(0), exact_fraction(float(kernel.dt[0].detach()))
    numbers = values.double().cpu().numpy()
    lags = range(0, len(numbers), max(1, len(numbers) // 200))
    with balls(200).work() as ring:
        dt = ring.number(step)
        pairs = zip(ring.number(system.Lambda), ring.number(system.C[0]), ring.number(system.B), strict=True)
        weights = np.array([c * b * ((a * dt).exp() - 1) / a for a, c, b in pairs], dtype=object)
    bare = exact_exponential_sum(system.Lambda, np.ones(len(system.Lambda)), 200)
    from dataclasses import replace

    total = replace(bare, coefficients=weights)
    truth = certified_kernel(total, [step * lag for lag in lags], 20, relative_to="largest")
    return largest_error(numbers[list(lags)], truth) / float(np.abs(numbers).max())
