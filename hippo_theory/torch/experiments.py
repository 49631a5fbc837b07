"""Two tasks that show what a start is for: delay a signal, and recover its past window, from one state.

    python -m hippo_theory.torch.experiments CONFIG.toml --out FOLDER

Inputs are white noise limited to a band; the target at time t is u(t - o lag) for each offset o (delay: o = 1;
reconstruction: several o in [0, 1]). Errors are root mean squares over test signals divided by that of the target, after
a burn-in: 1 is what the output 0 reaches. With A, B and dt frozen, C is solved for by least squares, or trained by Adam;
or A, B and dt are trained, with C solved for at every step. What theory allows the start is
`hippo_theory.norms.least_delay_error`.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hippo_theory.errors import InputError, checked_size
from hippo_theory.initializations.registry import find
from hippo_theory.norms.delay import SMALLEST_DIRECTION, least_delay_error
from hippo_theory.torch.channel_kernels import S4DKernel, S4Kernel
from hippo_theory.torch.layers import causal_convolution

__all__ = ["Task", "band_limited_noise", "read_config", "run", "run_start"]

FAMILIES = ("legs", "legt", "fout", "lagt")  # with their low-rank term; every other start is diagonal


@dataclass(frozen=True)
class Task:
    """What is asked of every start.

    Attributes
    ----------
    length, lag : int
        Samples of a signal that count, and of the window: dt = scale / lag.
    offsets : tuple of float
        Which delays are asked for, in windows.
    cycles : float
        Highest frequency of the inputs, in cycles a window.
    burn_in : int
        Samples before those that count, at least 2 lag: signals rise from 0 during the first half of them, smoothly, since
        a jump would be outside of the band.
    N : int
        Full real state size.
    starts : tuple of str
    scales : tuple of float
        Of them the best, by least squares on the training signals, is taken for each start.
    signals, test_signals, steps, seed : int
        Training and test signals, steps of Adam on A, B and dt (0: they stay frozen).
    adam_steps : int
        Steps of Adam on C alone.
    lr, state_lr : float
        Of C, and of A, B and dt.
    """

    length: int
    lag: int
    offsets: tuple[float, ...]
    cycles: float
    burn_in: int
    N: int
    starts: tuple[str, ...]
    scales: tuple[float, ...] = (1.0,)
    signals: int = 8
    test_signals: int = 4
    steps: int = 200
    adam_steps: int = 1000
    lr: float = 1e-2
    state_lr: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning before anything is computed."""
        for name in ("length", "lag", "N", "signals", "test_signals"):
            checked_size(name, getattr(self, name))
        if self.burn_in < 2 * self.lag:
            raise InputError(f"`burn_in` must be at least 2 lag = {2 * self.lag}, got {self.burn_in}; make it longer")
        if not self.offsets or not all(0 <= 2 * offset * self.lag <= self.burn_in for offset in self.offsets):
            raise InputError(
                f"`offsets` must lie in [0, burn_in/(2 lag)] = [0, {self.burn_in / (2 * self.lag):g}], got {self.offsets}"
            )


def band_limited_noise(count: int, length: int, highest: float, generator: torch.Generator) -> Tensor:
    """White noise without frequencies above `highest` cycles a sample, (count, length), mean square 1 on average.

    Raises
    ------
    InputError
        If no frequency is left, or `highest` is above 1/2.

    Examples
    --------
    >>> import torch
    >>> from hippo_theory.torch.experiments import band_limited_noise
    >>> noise = band_limited_noise(3, 64, 0.1, torch.Generator().manual_seed(0))
    >>> bool(torch.fft.rfft(noise)[:, 7:].abs().max() < 1e-12)
    True
    """
    if not 1 / length <= highest <= 0.5:
        raise InputError(f"`highest` must lie between 1/length and 1/2 cycles a sample, got {highest}")
    spectrum = torch.fft.rfft(torch.randn(count, length, dtype=torch.float64, generator=generator))
    spectrum[:, torch.arange(spectrum.shape[1]) > highest * length] = 0
    noise = torch.fft.irfft(spectrum, n=length)
    return noise / noise.square().mean().sqrt()


def _kernel(start: str, N: int, H: int, dt: float, C: Any, device: str) -> Any:
    kind: Any
    options: dict[str, Any]
    kind, options = (S4Kernel, {}) if start in FAMILIES else (S4DKernel, {})
    if start in ("s4d-rand",):
        options = {"start": {"rng": np.random.default_rng(0)}}
    kernel = kind.from_initialization(start, N=N, H=H, dt=dt, C=C, dtype=torch.float64, **options)
    return kernel.to(device)


def _state_rows(kernel: Any) -> Tensor:
    """C that make every real coordinate of the state an output, (N, n)."""
    identity = torch.eye(kernel.stored, dtype=torch.complex128)
    pairs = [index for index, count in enumerate(kernel.multiplicity) if count == 2]
    return torch.cat([identity, 1j * identity[pairs]])


def _size(start: str, N: int) -> int:
    return N + 1 - N % 2 if start == "fout" else N  # FouT is of odd size


def _least_squares(features: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """The outputs (N, H) of states (signals, N, T) that are nearest to the targets (signals, H, T); relative error."""
    matrix = features.detach().transpose(1, 2).flatten(0, 1).cpu().numpy()
    wanted = targets.transpose(1, 2).flatten(0, 1).cpu().numpy()
    size = np.linalg.norm(matrix, axis=0)
    size[size == 0] = 1  # the imaginary part of a real mode that is stored as a pair
    solution = np.linalg.lstsq(matrix / size, wanted, rcond=SMALLEST_DIRECTION)[0]
    error = np.linalg.norm(wanted - matrix / size @ solution) / np.linalg.norm(wanted)
    return torch.tensor(solution / size[:, None], device=features.device), float(error)


class _States:
    """All real coordinates of the state of one system, as signals, from parameters that can be trained."""

    def __init__(self, start: str, scale: float, task: Task, device: str) -> None:
        N = _size(start, task.N)
        self.system = _kernel(start, N, 1, scale / task.lag, None, device)
        rows = _state_rows(self.system)
        self.rows = _kernel(start, N, len(rows), scale / task.lag, rows, device).requires_grad_(False)
        self.system.C.requires_grad_(False)
        self.burn_in = task.burn_in

    def __call__(self, u: Tensor) -> Tensor:
        """The states (signals, N, T) after the burn-in, one system repeated for every coordinate."""
        shared = {}
        for name, parameter in self.system.named_parameters():
            if name != "C":
                axis = 1 if name == "P" else 0
                shape = [-1] * parameter.ndim
                shape[axis] = self.rows.H
                shared[name] = parameter.expand(shape)
        kernel = torch.func.functional_call(self.rows, shared, (u.shape[-1],))
        return causal_convolution(u[:, None], kernel)[..., self.burn_in :]


def _relative_error(features: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean square of the error over that of the targets."""
    return (torch.einsum("snt,nh->sht", features, outputs) - targets).square().sum() / targets.square().sum()


def _train_system(states: _States, task: Task, u: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Adam on A, B and dt, with C solved for at every step: the gradient of the least error over C is the partial one.

    Returns the parameters of the step with the least error on the training signals; the system holds the last ones.
    """
    least, best = float("inf"), dict(states.system.state_dict())
    trained = [parameter for parameter in states.system.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=task.state_lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.steps)
    for _ in range(task.steps):
        optimizer.zero_grad()
        features = states(u)
        outputs, error = _least_squares(features, targets)
        if error < least:
            least, best = error, {name: value.clone() for name, value in states.system.state_dict().items()}
        _relative_error(features, outputs, targets).backward()
        optimizer.step()
        schedule.step()
    return best


def _train_outputs(features: Tensor, task: Task, targets: Tensor) -> Tensor:
    """Adam on C alone, from 0, with states of mean square 1; the error is a quadratic form in C, computed once."""
    size = features.square().mean((0, 2)).clamp_min(1e-300).sqrt()[:, None]
    states = features / size
    gram, product = (torch.einsum("snt,sht->nh", states, other) for other in (states, targets))
    outputs = torch.zeros_like(product, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=task.lr)
    for _ in range(task.adam_steps):
        optimizer.zero_grad()
        (((outputs * (gram @ outputs - 2 * product)).sum()) / targets.square().sum()).backward()
        optimizer.step()
    return outputs.detach() / size


def _period(task: Task) -> int:
    """Of the noise, in samples: signals are a small part of it, so that their frequencies are dense in the band."""
    return 8 * (task.burn_in + task.length)


def _shifts(task: Task) -> list[int]:
    return [round(offset * task.lag) for offset in task.offsets]


def _signals(task: Task) -> Tensor:
    """Training signals, then test signals, (count, burn_in + length)."""
    generator = torch.Generator().manual_seed(task.seed)
    count, total, rise = task.signals + task.test_signals, task.burn_in + task.length, task.burn_in // 2
    noise = band_limited_noise(count, _period(task), task.cycles / task.lag, generator)[:, :total].clone()
    t = torch.arange(rise, dtype=torch.float64) / rise
    noise[:, :rise] *= t**3 * (10 - 15 * t + 6 * t**2)  # two derivatives vanish at both ends
    return noise


def _theory(kernel: Any, task: Task) -> float:
    """The least error of the system of a kernel module on stationary inputs of this spectrum."""
    period = _period(task)
    return least_delay_error(
        kernel.to_system(0),
        kernel.discretization.name,
        float(kernel.dt[0].detach()),
        _shifts(task),
        period=period,
        lines=int(task.cycles / task.lag * period),
    )


def run_start(start: str, task: Task, device: str = "cpu") -> dict[str, Any]:
    """The row of one start: relative errors on test signals, frozen and trained, and how far the spectrum moved.

    Examples
    --------
    >>> from hippo_theory.torch.experiments import Task, run_start
    >>> task = Task(200, 40, (1.0,), 2.0, 160, 8, ("legt",), steps=2)
    >>> row = run_start("legt", task)
    >>> 0.8 < row["least_squares"] / row["theory"] < 1.5
    True
    """
    noise, shifts = _signals(task), _shifts(task)
    delayed = [torch.nn.functional.pad(noise, (shift, 0))[:, : noise.shape[1]] for shift in shifts]
    targets = torch.stack(delayed, dim=1).to(device)[..., task.burn_in :]
    u, v = noise.to(device)[: task.signals], noise.to(device)[task.signals :]
    targets, wanted = targets[: task.signals], targets[task.signals :]

    def relative(features: Tensor, outputs: Tensor) -> float:
        return float(_relative_error(features, outputs, wanted).sqrt())

    with torch.no_grad():
        fits = {}
        for scale in task.scales:
            states = _States(start, scale, task, device)
            fits[scale] = (*_least_squares(states(u), targets), states)
    scale = min(fits, key=lambda candidate: fits[candidate][1])
    outputs, _, states = fits[scale]
    row: dict[str, Any] = {"start": start, "N": states.system.N, "scale": scale, "theory": _theory(states.system, task)}
    with torch.no_grad():
        features, tested = states(u), states(v)
    row["least_squares"] = relative(tested, outputs)
    row["adam_on_C"] = relative(tested, _train_outputs(features, task, targets))
    if not task.steps:
        return {**row, **dict.fromkeys(("trained", "trained_last", "spectrum_moved", "largest_real_part"))}
    before = states.system.Lambda.detach().clone()
    best = _train_system(states, task, u, targets)
    after = states.system.Lambda.detach().clone()
    with torch.no_grad():
        row["trained_last"] = relative(states(v), _least_squares(states(u), targets)[0])
        states.system.load_state_dict(best)
        row["trained"] = relative(states(v), _least_squares(states(u), targets)[0])
    row["spectrum_moved"] = float((after - before).abs().norm() / before.abs().norm())
    row["largest_real_part"] = float(after.real.max())
    return row


def run(config: Path, out: Path | None = None) -> list[dict[str, Any]]:
    """The rows of all starts of a config, written to `out` as JSON, a table and a figure if it is given.

    Parameters
    ----------
    config : Path
        TOML: the fields of `Task`, and ``device``.
    out : Path, optional

    Raises
    ------
    InputError
        A file that cannot be read, fields that a task has not or lacks, starts that there are not, no such device.
    """
    task, device = read_config(config)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise InputError(
            f"`device` = {device!r} cannot be used here ({why}); give a config with device = 'cpu'"
        ) from error
    rows = []
    for start in task.starts:
        rows.append(run_start(start, replace(task, starts=(start,)), device))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)  # noqa: T201 - progress of long work
    if out is not None:
        _write(config, task, rows, out)
    return rows


def read_config(config: Path) -> tuple[Task, str]:
    """The task and the device that a config names.

    Raises
    ------
    InputError
        A file that cannot be read, fields that a task has not or lacks, starts that there are not.
    """
    try:
        fields = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{config} cannot be read as TOML: {error}") from error
    device = str(fields.pop("device", "cpu"))
    try:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        task = Task(**given)
    except TypeError as error:
        raise InputError(f"{config}: {error}; the fields are those of experiments.Task, and device") from error
    for start in task.starts:
        find(start)
    return task, device


_COLUMNS = (
    *("start", "N", "scale", "theory", "least_squares", "adam_on_C"),
    *("trained", "trained_last", "spectrum_moved", "largest_real_part"),
)


def _write(config: Path, task: Task, rows: list[dict[str, Any]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    stem = out / config.stem
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    text = json.dumps({"task": asdict(task), "versions": versions, "rows": rows}, indent=1)
    stem.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    for row in rows:
        cells = [f"{row[name]:.3g}" if isinstance(row[name], float) else str(row[name] or "") for name in _COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _draw(rows, stem.with_suffix(".png"))


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    marks = (("least_squares", "o", 6), ("trained", "s", 6), ("adam_on_C", "x", 6), ("theory", "k_", 26))
    for column, marker, size in marks:
        if all(row[column] is not None for row in rows):
            axes.semilogy(places, [row[column] for row in rows], marker, ms=size, label=column.replace("_", " "))
    axes.set_xticks(places, [f"{row['start']}" for row in rows], rotation=20)
    axes.set_ylabel("relative error on test signals")
    axes.legend(markerscale=0.6)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """The command of the module."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 3 or given[1] != "--out":
        raise SystemExit("usage: python -m hippo_theory.torch.experiments CONFIG.toml --out FOLDER")
    try:
        run(Path(given[0]), Path(given[2]))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the message of a command
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
