"""Study files: which study, over which points, in TOML.

    study = "distance"
    name = "how the restriction converges"     # optional; the name of the file otherwise
    store = "converging.jsonl"                 # optional, relative to this file; the name of this file otherwise
    digits = 10                                # what holds for all grids

    [[grid]]                                   # all combinations; several grids are put together
    N = { from = 64, to = 1024, factor = 2 }
    method = ["zoh", "bilinear"]
    step = ["0.1", "0.01"]
    norm = "l2"

A range has `from` and `to`, and `factor` (exact) or `count` (numbers in geometric progression, rounded: whole numbers to
the nearest, decimals to three digits). Decimals and complex numbers are strings, since TOML's floats are binary.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hippo_theory.arithmetic import decimal_ball, exact_complex, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.sweeps.points import Point, Scalar, Study, grid, make_point
from hippo_theory.sweeps.studies import STUDIES, Parameter, StudyKind

__all__ = ["StudyFile", "read_study"]

_KEYS = ("study", "name", "store", "grid")
_MOST_VALUES = 100_000


@dataclass(frozen=True)
class StudyFile:
    """A study file, checked.

    Attributes
    ----------
    name : str
    kind : StudyKind
    study : Study
    points : tuple of Point
        Without repetitions, in the order of the grids.
    store : Path
    """

    name: str
    kind: StudyKind
    study: Study
    points: tuple[Point, ...]
    store: Path


def read_study(path: str | os.PathLike[str]) -> StudyFile:
    """Read and check a study file.

    Parameters
    ----------
    path : path

    Returns
    -------
    StudyFile

    Raises
    ------
    InputError
        Naming the file, the key that is wrong and what it needs.

    Examples
    --------
    >>> import tempfile
    >>> from hippo_theory.sweeps import read_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "small.toml"
    ...     text = 'study = "distance"' + chr(10) + '[[grid]]' + chr(10) + 'N = {from = 8, to = 32, factor = 2}'
    ...     _ = file.write_text(text)
    ...     study = read_study(file)
    >>> study.name, [point["N"] for point in study.points]
    ('small', [8, 16, 32])
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the study file {file}: {error.strerror}; give a file of TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the study file {file} is no TOML: {error}") from error
    try:
        return _checked(file, content)
    except InputError as error:
        raise InputError(f"the study file {file}: {error}") from error


def _checked(file: Path, content: Mapping[str, Any]) -> StudyFile:
    kind = STUDIES.get(content.get("study", "")) if isinstance(content.get("study", ""), str) else None
    if kind is None:
        raise InputError(f"`study` must be one of {', '.join(STUDIES)}, got {content.get('study')!r}")
    for name in ("name", "store"):
        if name in content and (not isinstance(content[name], str) or not content[name].strip()):
            raise InputError(f"`{name}` must be a text, got {content[name]!r}")
    grids = content.get("grid", [])
    if not isinstance(grids, list) or not grids or not all(isinstance(table, dict) for table in grids):
        raise InputError("there is no grid; write [[grid]] and below it the values of each parameter")
    common = {name: value for name, value in content.items() if name not in _KEYS}
    points: dict[Point, None] = {}
    for table in grids:
        ranges = {**common, **table}
        for name in ranges:
            if name not in kind.parameters:
                raise InputError(
                    f"the study {kind.name!r} has no parameter {name!r}; it has {', '.join(kind.parameters)}"
                )
        lists = {name: _values(name, parameter, ranges) for name, parameter in kind.parameters.items()}
        for combination in grid(lists):
            points[make_point(kind.normalized(combination.as_dict()))] = None
    return StudyFile(
        content.get("name", file.stem).strip(),
        kind,
        Study(kind.name, kind.version, kind.evaluate),
        tuple(points),
        file.parent / content.get("store", f"{file.stem}.jsonl"),
    )


def _values(name: str, parameter: Parameter, ranges: Mapping[str, Any]) -> list[Scalar]:
    if name not in ranges:
        if parameter.needed:
            raise InputError(f"`{name}` is not given; add it to the grid")
        return [parameter.default]
    given = ranges[name]
    if isinstance(given, dict):
        return _progression(name, parameter, given)
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise InputError(f"`{name}` is empty; give at least one value")
    return [_value(name, parameter, value) for value in listed]


def _value(name: str, parameter: Parameter, value: Any) -> Scalar:
    if parameter.kind == "whole":
        if type(value) is not int or value < parameter.least:
            raise InputError(f"`{name}` must be a whole number of at least {parameter.least}, got {value!r}")
        return value
    if type(value) is int and parameter.kind in ("decimal", "complex"):
        value = str(value)
    if not isinstance(value, str):
        raise InputError(f'`{name}` must be a text, got {value!r}; write it in quotes, such as "{value}"')
    if parameter.kind == "decimal":
        exact_fraction(value)
    elif parameter.kind == "complex":
        exact_complex(value)
    elif value not in parameter.choices:
        raise InputError(f"`{name}` must be one of {', '.join(parameter.choices)}, got {value!r}")
    return value.strip()


def _progression(name: str, parameter: Parameter, given: Mapping[str, Any]) -> list[Scalar]:
    """from, from factor, from factor^2, ... up to `to`; or `count` numbers from `from` to `to`."""
    if parameter.kind not in ("whole", "decimal"):
        raise InputError(f"`{name}` is no number and has no range; give a list")
    if set(given) not in ({"from", "to", "factor"}, {"from", "to", "count"}):
        raise InputError(
            f"the range of `{name}` needs from, to, and factor or count, got {', '.join(given) or 'nothing'}"
        )
    first, last = (exact_fraction(_value(name, parameter, given[end])) for end in ("from", "to"))
    if not 0 < first <= last:
        raise InputError(
            f"the range of `{name}` must rise from a positive number, got {given['from']} to {given['to']}"
        )
    if "count" in given:
        return _counted(name, parameter, first, last, given["count"])
    factor = exact_fraction(given["factor"]) if type(given["factor"]) in (int, str) else Fraction(0)
    if factor <= 1:
        raise InputError(
            f"the factor of `{name}` must be a whole number or a text of more than 1, got {given['factor']!r}; such as 2 or '1.5'"
        )
    values: list[Scalar] = []
    while first <= last:
        values.append(_written(name, parameter, first))
        first *= factor
        if len(values) > _MOST_VALUES:
            raise InputError(f"the range of `{name}` has more than {_MOST_VALUES} values; take a larger factor")
    return values


def _counted(name: str, parameter: Parameter, first: Fraction, last: Fraction, count: Any) -> list[Scalar]:
    if type(count) is not int or not 2 <= count <= _MOST_VALUES:
        raise InputError(f"the count of `{name}` must be a whole number from 2 to {_MOST_VALUES}, got {count!r}")
    ratio = float(last / first)
    values: dict[Scalar, None] = {_written(name, parameter, first): None}
    for place in range(1, count - 1):
        near = float(first) * ratio ** (place / (count - 1))
        values[round(near) if parameter.kind == "whole" else f"{Decimal(f'{near:.3g}'):f}"] = None
    values[_written(name, parameter, last)] = None
    return list(values)


def _written(name: str, parameter: Parameter, value: Fraction) -> Scalar:
    if parameter.kind == "whole":
        if value.denominator != 1:
            raise InputError(
                f"the range of `{name}` reaches {value}, which is not whole; take a whole factor or a count"
            )
        return int(value)
    digits = value.denominator
    for prime in (2, 5):
        while digits % prime == 0:
            digits //= prime
    return decimal_ball(value, 40).value if digits == 1 else str(value)  # a decimal that ends, or a fraction
