"""The verbs matrix, spectrum and kernel: one family, certified."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from hippo_theory.arithmetic import certified, decimal_ball, exact, exact_fraction
from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table, decimal_disc
from hippo_theory.errors import InputError
from hippo_theory.families import Family
from hippo_theory.kernels import diagonal_kernel

__all__ = ["kernel", "matrix", "spectrum"]


def matrix(
    family: str,
    /,
    *,
    N: arguments.Size,
    convention: str = "default",
    alpha: arguments.Decimal = "0",
    beta: arguments.Decimal = "0",
    digits: arguments.Count = 15,
    exact: bool = False,
    json: bool = False,
) -> Answer:
    """Print the state matrix A and the input vector B of a family, x' = A x + B u.

    Example: hippo matrix legs -N 4 --exact

    Parameters
    ----------
    family : str
        Id of the family; `hippo list families` shows them.
    N : int
        Full real state size.
    convention : str
        How the family is written; `hippo list conventions` shows them.
    alpha : decimal
        Parameter of lagt, above -1.
    beta : decimal
        Parameter of lagt, at least 0.
    digits : int
        Certain significant digits of each entry.
    exact : bool
        Print exact expressions, in the form that sympy reads, instead of decimals.
    json : bool
        Print one JSON object.
    """
    system = arguments.chosen_family(family, N, convention, alpha, beta)
    if exact:
        A, B, radius = *_exact_pair(system), "0"
    else:
        A, B, radius = _decimal_pair(system, digits)
    data = {
        "family": family,
        "convention": convention,
        "N": N,
        "equation": system.form.equation,
        "A": A,
        "B": B,
        "radius": radius,
    }
    rows = [[str(n), *row, entry] for n, (row, entry) in enumerate(zip(A, B, strict=True))]
    table = Table(_title(system), ["n", *(f"A[:,{k}]" for k in range(N)), "B"], rows)
    return Answer(data, [table], [f"{system.form.equation}; every entry within {radius}"])


def _exact_pair(system: Family) -> tuple[list[list[str]], list[str]]:
    A, B = system.state_matrix(exact()), system.input_vector(exact())
    return [[str(entry) for entry in row] for row in A], [str(entry) for entry in B]


def _decimal_pair(system: Family, digits: int) -> tuple[list[list[str]], list[str], str]:
    """Entries as certain decimals, and the largest radius among them."""
    A = certified(system.state_matrix, digits + 2, strict=True)
    B = certified(system.input_vector, digits + 2, strict=True)
    printed: dict[int, Any] = {}  # matrices share elements: print each object once
    for entry in [*A.ravel(), *B]:
        if id(entry) not in printed:
            printed[id(entry)] = decimal_ball(entry, digits)
    radius = max((ball.radius for ball in printed.values()), key=Decimal)
    rows = [[printed[id(entry)].value for entry in row] for row in A]
    return rows, [printed[id(entry)].value for entry in B], radius


def spectrum(
    family: str,
    /,
    *,
    N: arguments.Size,
    convention: str = "default",
    alpha: arguments.Decimal = "0",
    beta: arguments.Decimal = "0",
    digits: arguments.Count = 15,
    json: bool = False,
) -> Answer:
    """Print the certified eigenvalues of the normal part of a family, all N, by decreasing imaginary part.

    Example: hippo spectrum legs -N 64 --digits 50

    Parameters
    ----------
    family : str
        Id of the family; `hippo list families` shows them.
    N : int
        Full real state size.
    convention : str
        How the family is written; `hippo list conventions` shows them.
    alpha : decimal
        Parameter of lagt, above -1.
    beta : decimal
        Parameter of lagt, at least 0.
    digits : int
        Certain significant digits.
    json : bool
        Print one JSON object.
    """
    system = arguments.chosen_family(family, N, convention, alpha, beta)
    real = system.normal_real_part  # an exact rational
    imaginary = certified(system.normal_frequencies, digits + 2, strict=True)
    eigenvalues = [decimal_disc(real, value, digits) for value in imaginary]
    table = Table(
        f"{_title(system)}: eigenvalues of the normal part",
        ["m", "real part", "imaginary part", "radius"],
        [[str(m), value["re"], value["im"], value["radius"]] for m, value in enumerate(eigenvalues)],
    )
    return Answer({"family": family, "convention": convention, "N": N, "eigenvalues": eigenvalues}, [table])


def kernel(
    family: str,
    /,
    *,
    N: arguments.Size,
    form: Literal["full", "diagonal"] = "full",
    component: arguments.Component = 0,
    times: arguments.Decimals,
    convention: str = "default",
    alpha: arguments.Decimal = "0",
    beta: arguments.Decimal = "0",
    digits: arguments.Count = 15,
    json: bool = False,
) -> Answer:
    """Print the certified basis kernel K_n(t) of the full system (A, B) or of its diagonal restriction (S, B/2).

    Example: hippo kernel legs -N 64 --form diagonal --component 1 --times 0.1,1 --digits 40

    Parameters
    ----------
    family : str
        Id of the family; `hippo list families` shows them.
    N : int
        Full real state size.
    form : str
        full: e_n^T exp(t A) B. diagonal: e_n^T exp(t S) B/2, S the normal part.
    component : int
        n, from 0 to N-1.
    times : decimals
        t >= 0, separated by commas, exact: 0.37 is 37/100.
    convention : str
        How the family is written; `hippo list conventions` shows them.
    alpha : decimal
        Parameter of lagt, above -1.
    beta : decimal
        Parameter of lagt, at least 0.
    digits : int
        Certain significant digits; where the value is tiny, decimal places.
    json : bool
        Print one JSON object.
    """
    system = arguments.chosen_family(family, N, convention, alpha, beta)
    component = system.checked_component(component)
    instants = [exact_fraction(time) for time in times]
    if min(instants) < 0:
        raise InputError(f"--times must not be negative, got {times[instants.index(min(instants))]}")

    def evaluate(ring: Any) -> list[Any]:
        if form == "full":
            return [system.kernel(component, time, ring) for time in instants]
        restriction = diagonal_kernel(system, component, ring)
        return [restriction(time) for time in instants]

    values = []
    for time, ball in zip(times, certified(evaluate, digits + 2), strict=True):
        value, radius = decimal_ball(ball, digits)
        values.append({"t": time, "value": value, "radius": radius})
    table = Table(
        f"{_title(system)}: kernel K_{component}(t), {form}",
        ["t", "value", "radius"],
        [list(value.values()) for value in values],
    )
    data = {"family": family, "convention": convention, "N": N, "form": form, "component": component, "values": values}
    return Answer(data, [table])


def _title(system: Family) -> str:
    convention = "" if system.convention == "default" else f", convention {system.convention}"
    return f"{system.variant}{convention}, N = {system.N}"
