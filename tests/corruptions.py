"""Starts, the ways in which files hold them, and what goes wrong with them: the table is data/corruptions.toml."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import scipy.linalg

from hippo_theory.families import make_family
from hippo_theory.initializations import export_arrays
from hippo_theory.validation.closed_forms import closed_form
from hippo_theory.validation.matching import eigenvalue_bound
from hippo_theory.validation.references import references

TABLE = Path(__file__).parent / "data" / "corruptions.toml"
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One cell of the table: a start of some size in some layout and precision, and one damage."""

    start: str
    N: int
    dtype: str
    damage: str
    causes: tuple[str, ...]
    harmless: bool
    blind: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def label(self) -> str:
        return f"{self.start}-{self.N}-{self.dtype}-{self.damage}"


def cases() -> Iterator[Case]:
    """Every cell of the table."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for damage in table["damage"]:
        for start, settings in table["start"].items():
            if not _applies(damage, start, settings):
                continue
            causes = damage.get("cause_of", {}).get(start, damage.get("cause", []))
            blind = damage.get("blind", {}).get(start, "")
            for N in damage.get("sizes", settings["sizes"]):
                if damage.get("from", 0) > N or (N not in settings["sizes"] and "sizes" not in damage):
                    continue
                for dtype in settings["dtypes"] if not damage.get("dtypes") else damage["dtypes"]:
                    if damage.get("dtypes") and dtype not in settings.get("casts", settings["dtypes"]):
                        continue
                    if N > 200 and damage["name"] not in table["large"]:
                        continue
                    small = damage.get("small", {}).get(start, {})
                    reason = blind or (small.get("why", "") if small.get("up_to", 0) >= N else "")
                    yield Case(
                        start, N, dtype, damage["name"], tuple(causes), damage.get("harmless", False), reason, settings
                    )


def _applies(damage: Mapping[str, Any], start: str, settings: Mapping[str, Any]) -> bool:
    if start in damage.get("not", []):
        return False
    if "to" in damage:
        return start in damage["to"]
    return damage["on"] in settings["has"]


# --- starts -----------------------------------------------------------------------------------------------------------------


def canonical(case: Case) -> Arrays:
    """The parameters themselves, complex128 or float64, before anything goes wrong."""
    id, form = case.settings["id"], case.settings["form"]
    options = case.settings.get("options", {})
    if id == "mamba-real":
        return {"Lambda": -np.arange(1.0, case.N + 1) + 0j}
    if id == "lru":
        return _ring(case.N, **options)
    if id == "lmu" or (form == "dense" and options):
        family = make_family(id, case.N, **options)
        return {"A": family.A.copy(), "B": family.B.copy()}
    if form == "dense":
        arrays = export_arrays(id, case.N, "dense")
    elif case.dtype.startswith("lapack"):
        arrays = _by_lapack(id, case.N, form)
    else:
        forms = {"half": ("dplr", True), "all": ("dplr", False), "diagonal": ("diagonal", True)}
        arrays = export_arrays(id, case.N, *forms[form])
    return {name: np.array(value) for name, value in arrays.items() if name in ("A", "B", "P", "Lambda")}


def _ring(n: int, low: float, high: float) -> Arrays:
    """The logarithms that LRU stores: moduli uniform on a ring, phases on the circle."""
    rng = np.random.default_rng(n)
    nu = -0.5 * np.log(rng.random(n) * (high**2 - low**2) + low**2)
    theta, gamma = 2 * np.pi * rng.random(n), 0.5 * np.log(-np.expm1(-2 * nu))
    return {"nu_log": np.log(nu), "theta_log": np.log(theta), "gamma_log": gamma}


def _by_lapack(id: str, N: int, form: str) -> Arrays:
    """As users compute them: eigh of the skew part of A + P P^T in complex64."""
    family = make_family("legs" if id == "s4d-legs" else id, N)
    A, B, P = (np.asarray(part, np.float32) for part in (family.A, family.B, family.P))
    normal = A + P @ P.T
    frequencies, V = np.linalg.eigh(((normal - normal.T) / 2 * -1j).astype(np.complex64))
    Lambda = np.mean(np.diag(normal)) + 1j * frequencies
    arrays = {"Lambda": Lambda, "B": V.conj().T @ B, "P": V.conj().T @ P}
    if form == "all":
        return arrays
    keep = np.arange(N) < (N + 1) // 2
    arrays = {name: part[keep] for name, part in arrays.items()}
    if form == "diagonal":
        return {"Lambda": arrays["Lambda"], "B": arrays["B"] / 2}
    return arrays


def stored(arrays: Arrays, case: Case) -> Arrays:
    """The arrays as a file of that layout and precision holds them."""
    rng = np.random.default_rng(5)
    dtype = {"lapack32": "float32", "cast16": "float32"}.get(case.dtype, case.dtype)
    layout = case.settings["layout"]
    if layout == "plain":
        complex_dtype = {"float64": "complex128", "float32": "complex64"}[dtype]
        return {name: part.astype(dtype if name == "A" or case.settings["form"] == "dense" else complex_dtype)
                for name, part in arrays.items()}  # fmt: skip
    if layout == "lru":
        return {f"lru.{name}": part.astype(dtype) for name, part in arrays.items()}
    Lambda, heads = arrays["Lambda"], 3 if "step" not in arrays else len(arrays["step"])
    # One system for all heads, or one for each.
    systems = np.tile(Lambda, (heads, 1)) if Lambda.ndim == 1 else Lambda

    def real(values: Any) -> Any:
        kept = {"cast16": np.float16, "bfloat16": ml_dtypes.bfloat16}.get(case.dtype, dtype)
        return np.asarray(values).astype(kept).astype(kept if case.dtype == "bfloat16" else dtype)

    def view(values: Any) -> Any:
        return real(np.stack([values.real, values.imag], axis=-1))

    heads, n = systems.shape
    C = rng.standard_normal((1, heads, n)) + 1j * rng.standard_normal((1, heads, n))
    step = arrays["step"] if "step" in arrays else np.log(10 ** rng.uniform(-3, -1, heads))
    if layout == "s4-v4":  # the other member of each pair
        found = {
            "kernel.A_real": real(np.log(-Lambda.real)[None]),
            "kernel.A_imag": real(Lambda.imag[None]),
            "kernel.B": view(arrays["B"].conj()[None, None]),
            "kernel.C": view(C),
            "kernel.inv_dt": real(step[:, None]),
        }
        if "P" in arrays:
            found["kernel.P"] = view(arrays["P"].conj().T[:, None])
        return found
    if layout == "s4d-minimal":
        return {
            "kernel.log_A_real": real(arrays.get("logarithm", np.log(-systems.real))),
            "kernel.A_imag": real(systems.imag),
            "kernel.C": view(C[0]),
            "kernel.log_dt": real(step),
        }
    if layout == "annotated":
        columns = {name: np.tile(arrays[name].reshape(n, 1), (1, heads)) for name in ("Lambda", "B", "P")}
        return {
            "params/seq/Lambda_re": real(columns["Lambda"].real),
            "params/seq/Lambda_im": real(columns["Lambda"].imag),
            "params/seq/B": columns["B"].astype(np.complex64),
            "params/seq/P": columns["P"].astype(np.complex64),
            "params/seq/log_step": real(step[None]),
        }
    if layout == "s5":
        return {
            "seq/Lambda_re": real(Lambda.real),
            "seq/Lambda_im": real(-Lambda.imag),
            "seq/B": real(rng.standard_normal((n, heads, 2))),
            "seq/C": real(rng.standard_normal((heads, n, 2))),
            "seq/log_step": real(np.tile(step[:1], (n, 1))),
        }
    if layout == "dss":
        return {
            "layer.Lambda": view(Lambda),
            "layer.W": real(rng.standard_normal((1, heads, n, 2))),
            "layer.log_dt": real(np.tile(step[:, None], (1, 2))),
        }
    if layout == "mamba":
        logarithm = np.broadcast_to(arrays.get("logarithm", np.log(-systems.real)), systems.shape)
        logarithm = np.ascontiguousarray(logarithm.T) if "transposed" in arrays else logarithm
        return {"layers.0.A_log": real(logarithm), "layers.0.D": real(np.ones(heads))}
    raise ValueError(layout)


# --- damages ------------------------------------------------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[Arrays, Case, np.random.Generator], Arrays | None]] = {}


def damage(function: Callable[..., Any]) -> Callable[..., Any]:
    DAMAGES[function.__name__.replace("_", "-")] = function
    return function


def corrupted(case: Case) -> Arrays | None:
    """The stored arrays of a cell; None where the damage cannot be done to it (log of a negative number)."""
    rng = np.random.default_rng(zlib.crc32(case.label.encode()))
    name, _, argument = case.damage.partition(":")
    arguments = (argument,) if argument else ()
    arrays = DAMAGES[name](canonical(case), case, rng, *arguments)
    if arrays is None:
        return None
    logarithm = case.settings["layout"] in ("s4-v4", "s4d-minimal", "mamba")
    if logarithm and "logarithm" not in arrays and not (np.real(arrays["Lambda"]) < 0).all():
        return None
    return stored(arrays, case)


_FACTORS = {"half": 0.5, "two": 2.0, "sqrt2": np.sqrt(2), "pi": np.pi, "other": 1.37, "near": 1.01}


def _middle(arrays: Arrays) -> int:
    """A place in the middle whose eigenvalue is not real."""
    Lambda = arrays["Lambda"]
    return int(np.argsort(np.abs(np.arange(len(Lambda)) - len(Lambda) // 3) + 1e6 * (Lambda.imag == 0))[0])


def _bound(case: Case, arrays: Arrays) -> float:
    """The largest rounding bound of the eigenvalues of the start in the stored precision."""
    roundoff = 2.0**-53 if case.dtype == "float64" and case.settings["layout"] != "annotated" else 2.0**-24
    aliases = {"dss": "legs", "s5": "legs", "s4d-legs": "legs", "mamba-real": "s4d-real"}
    id = case.settings["id"]
    for reference in references(len(arrays["Lambda"])):
        if reference.id == aliases.get(id, id) and reference.convention == "default":
            spacing = 2 * roundoff * np.abs(reference.Lambda).max()
            return float(eigenvalue_bound(reference, roundoff).max() + spacing)
    raise AssertionError(case.label)


@damage
def nothing(arrays, case, rng):
    return arrays


@damage
def lambda_sign(arrays, case, rng):
    return arrays | {"Lambda": -arrays["Lambda"]}


@damage
def lambda_one_real_sign(arrays, case, rng):
    Lambda = arrays["Lambda"].copy()
    k = _middle(arrays)
    Lambda[k] = -Lambda[k].conj()
    return arrays | {"Lambda": Lambda}


@damage
def lambda_one_imaginary_sign(arrays, case, rng):
    Lambda = arrays["Lambda"].copy()
    k = _middle(arrays)
    Lambda[k] = Lambda[k].conj()
    return arrays | {"Lambda": Lambda}


@damage
def lambda_factor(arrays, case, rng, name):
    return arrays | {"Lambda": arrays["Lambda"] * _FACTORS[name]}


@damage
def imaginary_factor(arrays, case, rng, name):
    Lambda = arrays["Lambda"]
    return arrays | {"Lambda": Lambda.real + 1j * Lambda.imag * _FACTORS[name]}


@damage
def real_part(arrays, case, rng, value):
    return arrays | {"Lambda": float(value) + 1j * arrays["Lambda"].imag}


@damage
def real_logarithm(arrays, case, rng):
    Lambda = arrays["Lambda"]
    return arrays | {"Lambda": -np.exp(-Lambda.real) + 1j * Lambda.imag}


@damage
def lambda_squared(arrays, case, rng):
    return arrays | {"Lambda": arrays["Lambda"] ** 2}


@damage
def lambda_entry(arrays, case, rng, sign):
    Lambda = arrays["Lambda"].copy()
    k, off = _middle(arrays), 100 * _bound(case, arrays) * (1 if sign == "up" else -1)
    Lambda[k] += off if np.ptp(Lambda.imag) == 0 else 1j * off
    return arrays | {"Lambda": Lambda}


def _without(arrays: Arrays, keep: Any) -> Arrays:
    return {name: part[keep] for name, part in arrays.items()}


@damage
def lambda_lost(arrays, case, rng):
    return _without(arrays, np.arange(len(arrays["Lambda"])) != _middle(arrays))


@damage
def lambda_halved(arrays, case, rng):
    """Half of what is stored is thrown away once more."""
    order = np.argsort(-np.abs(arrays["Lambda"].imag), kind="stable")
    return _without(arrays, np.sort(order[: len(order) // 2]))


@damage
def lambda_doubled(arrays, case, rng):
    Lambda = arrays["Lambda"].copy()
    k = _middle(arrays)
    Lambda[k] = Lambda[k - 1] if k else Lambda[k + 1]
    return arrays | {"Lambda": Lambda}


@damage
def lambda_added(arrays, case, rng):
    k = _middle(arrays)
    return _without(arrays, np.insert(np.arange(len(arrays["Lambda"])), k, k))


@damage
def lambda_index(arrays, case, rng, shift):
    Lambda, shift = arrays["Lambda"], float(shift)
    if case.settings["id"] in ("s4d-real", "mamba-real"):
        return arrays | {"Lambda": Lambda - shift}
    index = np.arange(len(Lambda)) + shift
    imaginary = closed_form(case.settings["id"], index, case.N)
    return arrays | {"Lambda": -0.5 + 1j * imaginary} if np.isfinite(imaginary).all() else None


@damage
def halves(arrays, case, rng):
    n = len(arrays["Lambda"])
    return arrays | {"Lambda": -0.5 + 1j * closed_form(case.settings["id"], np.arange(n), n)}


@damage
def one_indexed(arrays, case, rng):
    n = np.arange(1, case.N + 1)
    root = np.sqrt(2 * n + 1)
    A = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    if "A" in arrays:
        return {"A": A, "B": root}
    frequencies, V = np.linalg.eigh((A + np.outer(root, root) / 2 + np.eye(case.N) / 2) * -1j)
    keep = frequencies > -1e-9 if case.settings["form"] != "all" else np.ones(case.N, bool)
    weights = (V.conj().T @ root)[keep]
    found = {"Lambda": -0.5 + 1j * frequencies[keep], "B": weights, "P": weights[:, None] / np.sqrt(2)}
    return {name: found[name] for name in arrays}


@damage
def real_state_lost(arrays, case, rng):
    return _without(arrays, np.abs(arrays["Lambda"].imag) > 1e-3)  # LAPACK leaves a small number there


@damage
def lambda_mixed(arrays, case, rng):
    Lambda = arrays["Lambda"].copy()
    Lambda[::2] *= 2
    return arrays | {"Lambda": Lambda}


@damage
def lambda_clipped(arrays, case, rng):
    Lambda = arrays["Lambda"]
    limit = 0.99 * np.sort(np.abs(Lambda.imag))[-2 if case.settings["form"] != "all" else -3]
    return arrays | {"Lambda": Lambda.real + 1j * np.clip(Lambda.imag, -limit, limit)}


@damage
def lambda_clamped(arrays, case, rng):
    Lambda = arrays["Lambda"]
    limit = 1.5 * np.sort(np.abs(Lambda.imag))[1]
    return arrays | {
        "Lambda": Lambda.real + 1j * np.where(Lambda.imag < 0, -1, 1) * np.maximum(np.abs(Lambda.imag), limit)
    }


@damage
def exchanged(arrays, case, rng):
    return arrays | {"Lambda": arrays["Lambda"].imag + 1j * arrays["Lambda"].real}


# Vectors.


@damage
def vector_factor(arrays, case, rng, argument):
    name, factor = argument.split(" ")
    return arrays | {name: arrays[name] * _FACTORS[factor]}


@damage
def vector_sign(arrays, case, rng, name):
    return arrays | {name: -arrays[name]}


@damage
def vector_squared(arrays, case, rng, name):
    return arrays | {name: arrays[name] ** 2}


@damage
def vector_inverse(arrays, case, rng, name):
    return arrays | {name: 1 / arrays[name]}


@damage
def vector_dropped(arrays, case, rng, name):
    return arrays | {name: np.ones_like(arrays[name])}


@damage
def vector_zero(arrays, case, rng, name):
    return arrays | {name: np.zeros_like(arrays[name])}


@damage
def vector_missing(arrays, case, rng, name):
    return None if case.settings["layout"] == "annotated" else {key: arrays[key] for key in arrays if key != name}


@damage
def vector_entry(arrays, case, rng, name):
    part = arrays[name].copy()
    size = 1e-2 if case.dtype != "float64" else 1e-6
    k = int(np.argmax(np.abs(part).reshape(len(part), -1).sum(axis=1)))
    part[k] = part[k] * (1 + size)
    return arrays | {name: part}


@damage
def vector_swapped(arrays, case, rng, name):
    part = arrays[name].copy()
    sizes = np.abs(part).reshape(len(part), -1).sum(axis=1)
    k = int(np.argmax(np.abs(np.diff(sizes))))
    part[[k, k + 1]] = part[[k + 1, k]]
    return arrays | {name: part}


@damage
def vector_rolled(arrays, case, rng, name):
    return arrays | {name: np.roll(arrays[name], 1, axis=0)}


@damage
def vector_reversed(arrays, case, rng, name):
    return arrays | {name: arrays[name][::-1]}


@damage
def vector_one_sign(arrays, case, rng, name):
    part = arrays[name].copy()
    part[_middle(arrays) if "Lambda" in arrays else 1] *= -1
    return arrays | {name: part}


@damage
def input_clipped(arrays, case, rng, limit):
    """After phases as LAPACK leaves them: all imaginary here, so that the clip bites."""
    turned = eigenvector_phases(arrays, case, rng, [1j])
    B = turned["B"]
    largest = np.sort(np.abs(B.imag))[-2] * 0.9 if limit == "other" else float(limit)
    if (np.abs(B.imag) > largest).sum() < 1:
        return None
    return turned | {"B": B.real + 1j * np.clip(B.imag, -largest, largest)}


@damage
def input_of_another(arrays, case, rng):
    other = make_family("lagt" if case.settings["id"] != "lagt" else "legs", case.N)
    if "A" in arrays:
        return arrays | {"B": other.B}
    weights = other.normal_weights()
    return arrays | {"B": weights[: len(arrays["B"])] + 0j}


@damage
def low_rank_conjugated(arrays, case, rng):
    turned = eigenvector_phases(arrays, case, rng, np.exp(2j * np.pi * rng.random(len(arrays["Lambda"]))))
    return turned | {"P": turned["P"].conj()}


@damage
def low_rank_transposed(arrays, case, rng):
    P = arrays["P"]
    return arrays | {"P": np.ascontiguousarray(P.T).reshape(P.shape)}


# Dense matrices.


@damage
def dense_sign(arrays, case, rng):
    return arrays | {"A": -arrays["A"]}


@damage
def dense_transposed(arrays, case, rng):
    return arrays | {"A": arrays["A"].T}


@damage
def dense_factor(arrays, case, rng, name):
    return arrays | {"A": arrays["A"] * _FACTORS[name]}


@damage
def dense_entry(arrays, case, rng, kind):
    A = arrays["A"].copy()
    row, column = np.argwhere(np.abs(np.tril(A, -1)) > 0)[-1]
    unit = 2.0**-53 if case.dtype == "float64" else 2.0**-24
    A[row, column] *= -1 if kind == "sign" else 1 + 400 * unit
    return arrays | {"A": A}


@damage
def dense_diagonal(arrays, case, rng, kind):
    A = arrays["A"].copy()
    diagonal = np.diag_indices(len(A))
    A[diagonal] = -A[diagonal] if kind == "sign" else A[diagonal] + 0.5
    return arrays | {"A": A}


@damage
def dense_row(arrays, case, rng):
    A = arrays["A"].copy()
    A[len(A) // 2] *= 2
    return arrays | {"A": A}


@damage
def dense_others_sign(arrays, case, rng):
    """All signs but those of the diagonal."""
    return arrays | {"A": 2 * np.diag(np.diag(arrays["A"])) - arrays["A"]}


@damage
def dense_lower_sign(arrays, case, rng):
    """The sign of the lower triangle, the upper one left out."""
    A = arrays["A"]
    return arrays | {"A": np.diag(np.diag(A)) - np.tril(A, -1)}


@damage
def dense_squared(arrays, case, rng):
    """No square roots off the diagonal."""
    A = arrays["A"]
    return arrays | {"A": np.where(np.eye(len(A)) > 0, A, np.sign(A) * A**2)}


@damage
def dense_rolled(arrays, case, rng):
    return arrays | {"A": np.roll(arrays["A"], 1, axis=0)}


@damage
def dense_swapped(arrays, case, rng):
    return arrays | {"A": arrays["A"][[1, 0, *range(2, len(arrays["A"]))]]}


@damage
def dense_clipped(arrays, case, rng):
    A = arrays["A"]
    limit = 0.5 * np.abs(A).max()
    return arrays | {"A": np.clip(A, -limit, limit)}


@damage
def dense_first_lost(arrays, case, rng):
    return {"A": arrays["A"][1:, 1:], "B": arrays["B"][1:]}


@damage
def dense_backwards(arrays, case, rng):
    """Zero-order hold with the step -dt."""
    return {"A": scipy.linalg.expm(-0.013 * arrays["A"])}


@damage
def dense_discretized(arrays, case, rng, kind):
    """Zero-order hold, with one entry off or without."""
    Abar = scipy.linalg.expm(0.013 * arrays["A"])
    if kind == "off":
        Abar[case.N // 2, case.N // 3] += 0.01
    return {"A": Abar}


@damage
def dense_low_rank(arrays, case, rng, kind):
    """The low-rank term beside A and B."""
    P = make_family(case.settings["id"], case.N).P
    change = {"right": P, "half": P / 2, "sqrt2": P * np.sqrt(2), "reversed": P[::-1]}
    return arrays | {"P": change[kind]}


# What is stored instead of log(-Re Lambda).

_LOGARITHMS = {
    "missing": lambda A: A,
    "binary": np.log2,
    "decimal": np.log10,
    "squared": lambda A: 2 * np.log(A),
    "root": lambda A: np.log(A) / 2,
    "half": lambda A: np.log(A / 2),
    "negated": lambda A: -np.log(A),
}


@damage
def logarithm(arrays, case, rng, kind):
    return arrays | {"logarithm": _LOGARITHMS[kind](-arrays["Lambda"].real)}


@damage
def logarithm_from_zero(arrays, case, rng):
    with np.errstate(divide="ignore"):
        return arrays | {"logarithm": np.log(-arrays["Lambda"].real - 1)}


# Clamped or computed in less precision, and what else.


@damage
def clamped_and_off(arrays, case, rng):
    """Real parts clamped as code does it (D4), and one eigenvalue off."""
    Lambda = np.minimum(arrays["Lambda"].real, -1e-4) + 1j * arrays["Lambda"].imag
    Lambda[_middle(arrays)] += 100j * _bound(case, arrays)
    return arrays | {"Lambda": Lambda}


@damage
def real_shifted(arrays, case, rng):
    return arrays | {"Lambda": arrays["Lambda"] - 1e-4}


@damage
def single_precision(arrays, case, rng):
    """Computed in float32, stored as float64."""
    single = _by_lapack(case.settings["id"], case.N, case.settings["form"])
    return {name: single[name] for name in arrays}


# Several heads.


@damage
def square(arrays, case, rng, factor):
    """As many heads as states, and B of them all times a factor."""
    n = len(arrays["Lambda"])
    return {"Lambda": np.tile(arrays["Lambda"], (n, 1)), "B": np.tile(arrays["B"] * _FACTORS.get(factor, 1.0), (n, 1))}


@damage
def discretized(arrays, case, rng):
    """Multipliers of four heads, each with a step of its own."""
    return {"Lambda": np.exp(np.array([0.002, 0.013, 0.03, 0.07])[:, None] * arrays["Lambda"])}


@damage
def reshaped(arrays, case, rng):
    """Four heads, row by row in the place of column by column."""
    Lambda = np.tile(arrays["Lambda"], (4, 1))
    return {"Lambda": np.ascontiguousarray(Lambda.reshape(Lambda.shape[::-1]).T)}


@damage
def transposed_heads(arrays, case, rng):
    """The states along the first axis, where the layout has them along the last."""
    return arrays | {"transposed": np.array(True)}


@damage
def heads_mixed(arrays, case, rng):
    """One of four heads on another time scale."""
    return {"Lambda": arrays["Lambda"] * np.where(np.arange(4) == 2, 3.0, 1.0)[:, None]}


# Steps, and LRU.

_STEPS = {
    "right": np.log,
    "raw": lambda dt: dt,
    "decimal": np.log10,
    "twice": lambda dt: np.log(-np.log(dt)),
    "negated": lambda dt: -np.log(dt),
}


@damage
def steps(arrays, case, rng, kind):
    return arrays | {"step": _STEPS[kind](np.exp(rng.uniform(np.log(1e-3), np.log(1e-1), 32)))}


@damage
def steps_even(arrays, case, rng):
    return arrays | {"step": np.exp(np.linspace(np.log(1e-3), np.log(1e-1), 32))}


_RINGS = {
    "exponential": np.exp,
    "twice": lambda t: 2 * t,
    "negated": np.negative,
    "one": np.zeros_like,
    "reversed": lambda t: t[::-1],
    "entry": lambda t: t + 0.1 * (np.arange(len(t)) == len(t) // 2),
    "factor": lambda t: t + np.log(2),
    "repeated": lambda t: np.log(np.abs(t)),
}


@damage
def ring(arrays, case, rng, argument):
    name, kind = argument.split(" ")
    return arrays | {name: _RINGS[kind](arrays[name])}


# Harmless.


@damage
def eigenvector_phases(arrays, case, rng, phases=None):
    n = len(arrays["Lambda"])
    phases = np.exp(2j * np.pi * rng.random(n)) if phases is None else np.resize(phases, n)
    changed = {"B": arrays["B"] * phases} if "B" in arrays else {}
    if "P" in arrays:
        changed["P"] = arrays["P"] * phases[:, None]
    return arrays | changed


@damage
def order(arrays, case, rng):
    return _without(arrays, rng.permutation(len(arrays["Lambda"])))


@damage
def conjugates(arrays, case, rng):
    return {name: part.conj() for name, part in arrays.items()}


def _in_basis(arrays: Arrays, basis: Any) -> Arrays:
    return {"A": basis @ arrays["A"] @ basis.T, "B": basis @ arrays["B"]}


@damage
def permuted_states(arrays, case, rng):
    return _in_basis(arrays, np.eye(case.N)[rng.permutation(case.N)])


@damage
def signs_of_states(arrays, case, rng):
    return _in_basis(arrays, np.diag((-1.0) ** np.arange(case.N)))


@damage
def orthogonal_basis(arrays, case, rng):
    return _in_basis(arrays, np.linalg.qr(rng.standard_normal((case.N, case.N)))[0])


@damage
def without_input(arrays, case, rng):
    return {name: part for name, part in arrays.items() if name != "B"}
