"""Figures of energies: Gramians of the HiPPO families, and Hankel singular values of full and diagonal systems."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import acb_mat

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.decompositions import diagonal_restriction
from hippo_theory.errors import CertificationError
from hippo_theory.families import Family, FouT, LagT, LegS, LegT
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.initializations import initialization
from hippo_theory.norms import controllability_gramian, hankel_singular_values, observability_gramian
from hippo_theory.systems import DenseSystem, DiagonalSystem, HalfSystem, conjugate_full

__all__ = ["gramians", "hankel_values"]

# Float64 solvers leave noise of 1e-13 (bounded by 1e-9), which differs between processors.
_ENTRY_DECIMALS, _VALUE_DECIMALS = 6, 9
_TITLES = {"legs": "LegS", "legt": "LegT", "fout": "FouT", "lagt": "LagT"}
_COLORS = {"legs": "black", "legt": COLORS["blue"], "fout": COLORS["vermilion"], "lagt": COLORS["green"]}


def _families(N: int) -> dict[str, Family]:
    """One of each, FouT with the next odd size."""
    return {"legs": LegS(N), "legt": LegT(N), "fout": FouT(N + 1 - N % 2), "lagt": LagT(N)}


# --- Gramians -----------------------------------------------------------------------------------------------------------


@figure(
    "gramians",
    title="The Gramians of the HiPPO systems",
    caption=(
        "Top: $W = \\int_0^\\infty e^{tA} B B^T e^{tA^T} dt$, how strongly a unit impulse moves each state ($N = "
        "32$, FouT 33). For FouT and LagT $W = I$ exactly, since $A + A^T = -BB^T$; for LegS it is tridiagonal; for "
        "LegT close to $I$ but for the last states. Middle: $Q = \\int_0^\\infty e^{tA^T} e^{tA} dt$, the energy "
        "that a state radiates; of LagT it is tridiagonal with the largest entry $2N-1$. Bottom: their eigenvalues. "
        "Those of LegS are the Gauss-Legendre nodes on $[0, 1]$ (dotted) for both, the smallest "
        "$<smallest_legs:.5f>$; the condition number of $W$ of LegT is $<condition_legt:.0f>$. Colors are relative "
        "to the largest entry, given above each image."
    ),
    alternative=(
        "Four columns, LegS, LegT, FouT, LagT. Controllability Gramians: a band of three diagonals, a nearly "
        "diagonal matrix that fades towards the last states, and two identities. Observability Gramians: a band, a "
        "nearly diagonal matrix, a diagonal with stripes, and a band that decreases strongly along the diagonal. "
        "Below, sorted eigenvalues."
    ),
    source="derived here",
    panels=(3, 4),
    size=(7.2, 5.6),
    digits=7,
    units={
        "controllability": "W of that family (units of input^2 times time)",
        "observability": "Q of that family, all states as outputs (units of time)",
        "controllability_eigenvalues": "eigenvalues of W of that family, decreasing",
        "observability_eigenvalues": "eigenvalues of Q of that family, decreasing (units of time)",
        "nodes": "Gauss-Legendre nodes on [0, 1], decreasing (1)",
        "smallest": "smallest eigenvalue of W of LegS (1)",
        "condition": "condition number of W of that family (1)",
    },
)
def gramians(panels: Panels, *, N: int = 32) -> Data:
    """Lyapunov equations in float64, with error bounds below 1e-8; rounded: entries to six decimals, eigenvalues to nine.

    W of LegS multiplies by x in the polynomials of degree below N, hence the nodes. A^T is unitarily equivalent to A: in the
    eigenvectors of the normal part, A = Lambda - b b^T/2 with b > 0 equal on conjugate pairs, and A* only exchanges those. So
    Q has the eigenvalues of the integral of e^(tA) e^(tA^T) = I - W, again the nodes.
    """
    data: Data = {"nodes": np.sort(np.polynomial.legendre.leggauss(N)[0])[::-1] / 2 + 0.5}
    for name, family in _families(N).items():
        system = DenseSystem(family.A, family.B)
        for kind, gramian in (
            ("controllability", controllability_gramian(system)), ("observability", observability_gramian(system))
        ):  # fmt: skip
            data[f"{kind}_{name}"] = np.round(gramian.matrix, _ENTRY_DECIMALS) + 0.0
            eigenvalues = np.linalg.eigvalsh(gramian.matrix)[::-1]
            data[f"{kind}_eigenvalues_{name}"] = np.round(eigenvalues, _VALUE_DECIMALS)
    data["smallest_legs"] = data["controllability_eigenvalues_legs"][-1]
    spectrum = data["controllability_eigenvalues_legt"]
    data["condition_legt"] = spectrum[0] / spectrum[-1]
    if panels is not None:
        _draw_gramians(panels, data)
    return data


def _draw_gramians(panels: Panels, data: Data) -> None:
    letters = {"controllability": "W", "observability": "Q"}
    for row, (kind, letter) in enumerate(letters.items()):
        for column, name in enumerate(_TITLES):
            axes, matrix = panels[4 * row + column], data[f"{kind}_{name}"]
            largest = float(np.abs(matrix).max())
            image = axes.imshow(matrix / largest, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            axes.grid(False)
            axes.set(xticks=[0, 10, 20, 30], yticks=[0, 10, 20, 30], xlabel="state $k$")
            axes.set_title(f"{_TITLES[name]}: ${letter}$, largest {largest:.3g}")
            if column == 0:
                axes.set_ylabel("state $n$")
    panels[0].figure.colorbar(image, ax=list(panels[:8]), label="entry / largest entry", shrink=0.6, aspect=30)
    for column, name in enumerate(_TITLES):
        axes = panels[8 + column]
        for kind, color, dot in (("controllability", COLORS["blue"], "o"), ("observability", COLORS["orange"], ".")):
            values = data[f"{kind}_eigenvalues_{name}"]
            axes.semilogy(values, dot, color=color, markersize=3, markeredgewidth=0.6, markerfacecolor="none")
        if name == "legs":
            axes.semilogy(data["nodes"], ":", color="black", linewidth=0.8)
        axes.set(ylim=(5e-4, 300), xlabel="index", title=f"{_TITLES[name]}: eigenvalues")
        if column == 0:
            axes.set_ylabel("eigenvalue")
        for x, letter, color in ((0.08, "$W$", COLORS["blue"]), (0.26, "$Q$", COLORS["orange"])):
            axes.annotate(letter, (x, 0.1), xycoords="axes fraction", color=color)


# --- Hankel singular values ---------------------------------------------------------------------------------------------


def _certified_hankel_values(family: Family) -> Array:
    """Hankel singular values of (A, B, B^T) for an A with distinct eigenvalues, in balls, rounded.

    In modal form, A = R diag(lambda) R^-1, b = R^-1 B, c = B^T R, both Gramians are Cauchy matrices and the values are the
    roots of the eigenvalues of their product; the small ones are far below what float64 knows of a dense system.
    """
    for attempt in range(3):
        try:
            with balls((64 + 44 * family.N) << attempt).work() as ring:
                return _modal_hankel_values(family, ring)
        except ValueError:
            continue  # python-flint could not tell the eigenvalues apart
    raise CertificationError(f"the Hankel singular values of {family!r} were not separated; take a smaller N")


def _modal_hankel_values(family: Family, ring: Balls) -> Array:
    N, A, B = family.N, family.state_matrix(ring), family.input_vector(ring)
    values, right = acb_mat(A.tolist()).eig(right=True)
    b = right.inv() * acb_mat([[entry] for entry in B])
    c = acb_mat([list(B)]) * right
    P = acb_mat(
        [[-b[i, 0] * b[j, 0].conjugate() / (values[i] + values[j].conjugate()) for j in range(N)] for i in range(N)]
    )
    Q = acb_mat(
        [[-c[0, i].conjugate() * c[0, j] / (values[i].conjugate() + values[j]) for j in range(N)] for i in range(N)]
    )
    return np.sort(np.array([float(square.real.sqrt()) for square in (P * Q).eig()]))[::-1]


@figure(
    "hankel-singular-values",
    title="Hankel singular values: what can be left out of a state",
    caption=(
        "Left: full systems with the output $B^T x$ ($N = 24$, FouT 25). With it FouT and LagT are all-pass up to a "
        "constant and all their values are exactly $1$: no state is less important than another. Those of LegS fall "
        "slowly, those of LegT faster and faster, to $10^{<last_legt:.1f>}$. Right: diagonal systems, divided by the "
        "largest value; S4D-LegS has the same output, the others $B = C = 1$. At half of the index S4D-LegS has "
        "fallen to $<half_legs:.2g>$, S4D-Lin to $<half_lin:.2g>$, S4D-Inv to $<half_inv:.2g>$ and S4D-Real, beyond "
        "the frame, to $10^{<half_real:.1f>}$: a few exponentials are enough for it. S4D-Lin has the eigenvalue "
        "$-\\frac{1}{2}$ twice, so that its last value is $0$."
    ),
    alternative=(
        "Two plots of singular values against their index on a logarithmic scale. Full systems: FouT and LagT "
        "constant at one, LegS falling slowly, LegT level and then dropping steeply. Diagonal systems: Real falls "
        "steeply from the start, the others slowly."
    ),
    source="derived here; compare HOPE (arXiv:2405.13975), which initializes through Hankel matrices",
    panels=(1, 2),
    size=(7.2, 3.0),
    digits=7,
    units={
        "full": "Hankel singular values of the full system of that family, output B^T x, decreasing (1)",
        "diagonal": "Hankel singular values of that diagonal system divided by the largest, decreasing (1)",
        "largest": "the largest of that diagonal system (units of time)",
        "last": "log10 of the smallest value of the full system of that family",
        "half": "the value at index N/2 divided by the largest (half_real: its log10)",
    },
)
def hankel_values(panels: Panels, *, N: int = 24) -> Data:
    """LegS and LegT in balls; FouT and LagT by the square-root method; diagonal systems by Cauchy factors in float64."""
    data: Data = {}
    for name, family in _families(N).items():
        if name in ("legs", "legt"):
            values = _certified_hankel_values(family)
        else:
            values = np.round(
                hankel_singular_values(DenseSystem(family.A, family.B, family.B[None, :])).values, _VALUE_DECIMALS
            )
        data[f"full_{name}"] = values
    restriction = diagonal_restriction(LegS(N))
    systems: dict[str, Any] = {"legs": DiagonalSystem(restriction.Lambda, restriction.B, restriction.weights[None, :])}
    for name in ("inv", "lin", "quad", "real"):
        start = initialization(f"s4d-{name}", N)
        start = conjugate_full(start) if isinstance(start, HalfSystem) else start
        systems[name] = DiagonalSystem(start.Lambda, start.B, np.ones((1, N)))  # type: ignore[union-attr]
    for name, system in systems.items():
        values = hankel_singular_values(system).values
        data[f"diagonal_{name}"], data[f"largest_{name}"] = values / values[0], values[0]
        data[f"half_{name}"] = data[f"diagonal_{name}"][N // 2]
    data["half_real"] = np.log10(data["half_real"])
    data["last_legt"] = np.log10(data["full_legt"][-1])
    if panels is not None:
        _draw_hankel(panels, data)
    return data


def _draw_hankel(panels: Panels, data: Data) -> None:
    left, right = panels
    labels = []
    for name, color in _COLORS.items():
        values = data[f"full_{name}"]
        left.semilogy(values, "o-", color=color, markersize=2, linewidth=0.8)
        labels.append((float(len(values) - 1), float(values[-1]), _TITLES[name], color))
    left.set(xlabel="index", ylabel="Hankel singular value", title="full systems, output $B^T x$")
    label_curves(left, labels)
    labels = []
    colors = {
        "legs": "black", "inv": COLORS["blue"], "lin": COLORS["vermilion"], "quad": COLORS["green"],
        "real": COLORS["purple"],
    }  # fmt: skip
    for name, color in colors.items():
        values = data[f"diagonal_{name}"]
        shown = np.flatnonzero(values > 1e-5)
        right.semilogy(shown, values[shown], "o-", color=color, markersize=2, linewidth=0.8)
        text = "S4D-LegS" if name == "legs" else name.capitalize()
        if name == "real":
            right.plot(
                [shown[-1], shown[-1] + 1], [values[shown[-1]], values[shown[-1] + 1]], color=color, linewidth=0.8
            )
            right.annotate(text, (shown[-1], 3e-5), xytext=(8, 0), textcoords="offset points", color=color, fontsize=7)
        else:
            labels.append((float(len(values) - 1), float(values[shown[-1]]), text, color))
    right.set(xlabel="index", ylabel="value / largest value", title="diagonal systems", ylim=(1e-5, 2))
    label_curves(right, labels)
