"""The verb converge: how a diagonal restriction approaches the full system, in which sense, and at what rate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hippo_theory.arithmetic import decimal_ball, exact_fraction
from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table, replacing
from hippo_theory.cli.progress import progress_bar
from hippo_theory.convergence import NOT_CERTIFIED, Plan, Rate, Row, Study, converge_rows, fit_rates, plan_study

__all__ = ["converge"]


def converge(
    *,
    family: str = "legs",
    sizes: arguments.Sizes = (16, 32, 64, 128, 256, 512, 1024),
    steps: arguments.Decimals = ("0.1", "0.01"),
    methods: arguments.Names = ("continuous", "zoh", "bilinear", "sampled"),
    components: arguments.Whole = (0, 1, 4),
    norms: arguments.Names = ("l2", "sup", "transfer", "hinf"),
    points: arguments.Points = ("0.5", "0.25+1j", "2j"),
    horizon: arguments.Decimal | None = None,
    convention: str = "default",
    digits: arguments.Count = 15,
    out: Path | None = None,
    json: bool = False,
) -> Answer:
    """Measure how the diagonal restriction of a family approaches the full system as N grows.

    Example: hippo converge --sizes 64,128,256 --methods continuous,zoh --components 0 --out results

    Parameters
    ----------
    family : str
        Id of the family; `hippo list families` shows them.
    sizes : whole numbers
        State sizes N, separated by commas.
    steps : decimals
        Steps of the discrete methods, exact: 0.01 is 1/100.
    methods : names
        Of continuous, zoh, bilinear, sampled; the same on both sides of the comparison.
    components : whole numbers
        Which basis kernels K_n.
    norms : names
        l2 (a distance, not its square), sup (largest difference), transfer (difference of the transfer functions at each
        point), hinf (its largest value on the imaginary axis, or the unit circle).
    points : complex numbers
        Points s of the norm transfer; write a leading minus as --points=-0.5+1j.
    horizon : decimal
        Restricts l2 and sup to times up to this one.
    convention : str
        How the family is written; `hippo list conventions` shows them.
    digits : int
        Certain significant digits of each certified error.
    out : folder
        Also write rows.csv, rates.csv and the figures into this folder.
    json : bool
        Print one JSON object.
    """
    plan = plan_study(
        family,
        sizes=sizes,
        steps=steps,
        methods=methods,
        components=components,
        norms=norms,
        points=points,
        horizon=horizon,
        digits=digits,
        convention=convention,
    )
    if out is not None:
        arguments.writable_folder(out)
    typed = {exact_fraction(text): text for text in [*([] if horizon is None else [horizon]), *steps]}
    rows: list[Row] = []
    try:
        with progress_bar("distances") as show:
            for done, batch in enumerate(converge_rows(plan), 1):
                rows.extend(batch)
                show("distances", done, len(plan))
    except KeyboardInterrupt:
        if out is not None:
            _write_csv(out, "rows.csv", _row_records(rows, plan, typed))  # what is done is not lost
        raise
    rates = list(fit_rates(rows))
    row_records, rate_records = _row_records(rows, plan, typed), _rate_records(rates, typed)
    files = (
        [] if out is None else _write_results(out, Study(tuple(rows), tuple(rates)), plan, row_records, rate_records)
    )
    data = {"rows": row_records, "rates": rate_records, "files": files}
    uncertified = any((row.why or "").startswith(NOT_CERTIFIED) for row in rows)
    return Answer(data, _tables(row_records, rate_records, plan), _notes(files), status=3 if uncertified else 0)


# --- records: what JSON and CSV hold -----------------------------------------------------------------------------------

_Record = dict[str, Any]


def _row_records(rows: Sequence[Row], plan: Plan, typed: Mapping[Fraction, str]) -> list[_Record]:
    return [_row_record(row, plan.digits, typed) for row in rows]


def _row_record(row: Row, digits: int, typed: Mapping[Fraction, str]) -> _Record:
    error, radius = _error_and_radius(row.error, digits)
    return {
        "family": row.family,
        "N": row.N,
        "method": row.method,
        "step": _as_typed(row.step, typed),
        "component": row.component,
        "norm": row.norm,
        "point": row.point,
        "error": error,
        "radius": radius,
        "kind": row.kind,
        "theory": None if row.theory is None else decimal_ball(row.theory, digits).value,
        "theory_kind": row.theory_kind,
        "why": row.why,
        "horizon": _as_typed(row.horizon, typed),
    }


def _error_and_radius(error: Any, digits: int) -> tuple[str | None, str | None]:
    if error is None:
        return None, None
    if isinstance(error, float):  # observed: no radius is known
        return repr(float(error)), None
    return decimal_ball(error, digits)


def _as_typed(value: Fraction | None, typed: Mapping[Fraction, str]) -> str | None:
    if value is None:
        return None
    return typed.get(value) or decimal_ball(value).value


def _rate_records(rates: Sequence[Rate], typed: Mapping[Fraction, str]) -> list[_Record]:
    return [
        {
            "family": rate.family,
            "method": rate.method,
            "step": _as_typed(rate.step, typed),
            "component": rate.component,
            "norm": rate.norm,
            "point": rate.point,
            "slope": rate.slope,
            "interval": None if rate.interval is None else list(rate.interval),
            "theory": rate.theory,
            "sizes": list(rate.sizes),
            "zeros": rate.zeros,
            "why": rate.why,
        }
        for rate in rates
    ]


# --- files -------------------------------------------------------------------------------------------------------------


def _write_results(
    folder: Path, study: Study, plan: Plan, row_records: list[_Record], rate_records: list[_Record]
) -> list[str]:
    from hippo_theory.figures import write_convergence_figures

    paths = [_write_csv(folder, "rows.csv", row_records), _write_csv(folder, "rates.csv", rate_records)]
    return [str(path) for path in [*paths, *write_convergence_figures(study, plan, folder)]]


def _write_csv(folder: Path, name: str, records: list[_Record]) -> Path:
    text = io.StringIO()
    if records:
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        for record in records:
            cells = {
                key: " ".join(map(str, value)) if isinstance(value, list) else value for key, value in record.items()
            }
            writer.writerow(cells)
    with replacing(folder / name) as file:
        file.write(text.getvalue().encode())
    return folder / name


# --- tables for people -------------------------------------------------------------------------------------------------

_SENSES = {
    "l2": "L2 distance of the kernels",
    "sup": "largest difference of the kernels",
    "transfer": "difference of the transfer functions at s = {}",
    "hinf": "largest difference of the transfer functions on the imaginary axis (unit circle)",
}


def _tables(rows: list[_Record], rates: list[_Record], plan: Plan) -> Iterator[Table]:
    """One table for each sense of distance: a line for each method, step and component, a column for each N."""
    slopes = {_place(rate): rate for rate in rates}
    lines: dict[tuple[Any, ...], list[_Record]] = {}
    for row in rows:
        lines.setdefault(_place(row), []).append(row)
    reasons = list(dict.fromkeys(row["why"] for row in rows if row["why"]))
    header = ["method", "step", "n", *(f"N={N}" for N in plan.sizes), "radius", "theory", "slope", "theory's", "kind"]
    for norm, point in _senses(plan):
        chosen = [place for place in lines if place[:2] == (norm, point)]
        title = f"{plan.family}: {_SENSES[norm].format(point)}"
        yield Table(title, header, [_line(lines[place], slopes.get(place), reasons) for place in chosen])
    if reasons:
        yield Table("why", ["", ""], [[f"[{number}]", reason] for number, reason in enumerate(reasons, start=1)])
    if slopes:
        yield _summary(slopes, plan)


def _senses(plan: Plan) -> Iterator[tuple[str, str | None]]:
    for norm in plan.norms:
        for point in plan.points if norm == "transfer" else [None]:
            yield norm, point


def _summary(slopes: Mapping[tuple[Any, ...], _Record], plan: Plan) -> Table:
    """The slopes alone: in which sense the restriction approaches the full system, and in which it does not."""
    component = plan.components[0]
    cases = dict.fromkeys(place[2:4] for place in slopes)
    header = ["distance", *(method if step is None else f"{method} {step}" for method, step in cases)]
    rows = []
    for norm, point in _senses(plan):
        cells = [_slope(slopes.get((norm, point, *case, component)), "slope") for case in cases]
        rows.append([norm if point is None else f"{norm} at {point}", *cells])
    return Table(f"in short, for n = {component}: the distance goes like N^slope, with slope", header, rows)


def _place(record: _Record) -> tuple[Any, ...]:
    return tuple(record[key] for key in ("norm", "point", "method", "step", "component"))


def _line(rows: list[_Record], rate: _Record | None, reasons: list[str]) -> list[str]:
    """Errors at every N; radius, and what theory says, at the largest; the slope of the errors, and that of theory."""
    last = rows[-1]
    marks = [f"[{reasons.index(why) + 1}]" for why in dict.fromkeys(row["why"] for row in rows) if why]
    return [
        last["method"],
        last["step"] or "-",
        str(last["component"]),
        *(_short(row["error"]) for row in rows),
        _short(last["radius"]),
        _short(last["theory"]),
        _slope(rate, "slope"),
        _slope(rate, "theory"),
        " ".join([last["kind"] or "-", *marks]),
    ]


def _short(value: str | None) -> str:
    """Four digits, or three where they need an exponent."""
    if value is None:
        return "-"
    number = Decimal(value)
    return f"{number:.4g}" if number == 0 or number.adjusted() >= -3 else f"{number:.2e}"


def _slope(rate: _Record | None, key: str) -> str:
    return "-" if rate is None or rate[key] is None else f"{round(rate[key], 3) + 0.0:+.3f}"  # no negative zero


def _notes(files: Sequence[str]) -> list[str]:
    return [
        "A slope near 0 means that the distance does not go away. Radius and theory are those of the largest N;",
        "--json and --out give every digit, radius and interval.",
        *(f"wrote {file}" for file in files),
    ]
