"""Stores as tables: a pandas DataFrame, or a Parquet file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.sweeps.store import read_records
from hippo_theory.tensor_files.writing import replacing

__all__ = ["read_table", "write_parquet"]


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError(
            'tables of a sweep need pandas: pip install "hippo_theory[cluster]"; or use read_records'
        ) from error
    return pandas


def read_table(path: str | os.PathLike[str]) -> Any:
    """The store as a pandas DataFrame: a row for each point in the order of the keys.

    Parameters
    ----------
    path : path
        Of a store; it may be growing.

    Returns
    -------
    pandas.DataFrame
        Indexed by `key`; the columns of the point, those of the result (with the suffix ``_result`` where the name is
        taken), and `failure`. Certified decimals stay strings.

    Raises
    ------
    InputError
        As `read_records` does.
    MissingDependencyError
        Without pandas.
    """
    rows = []
    for record in read_records(path):
        row: dict[str, Any] = {"key": record.key, **record.point.as_dict()}
        for name, value in (record.result or {}).items():
            row[f"{name}_result" if name in row or name == "failure" else name] = value
        row["failure"] = record.failure
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row if name != "failure")) or ["key"]
    return _pandas().DataFrame(rows, columns=[*names, "failure"]).set_index("key")


def write_parquet(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> None:
    """Write the table of a store as a Parquet file, which appears when it is complete.

    Parameters
    ----------
    path : path
        Of the store.
    to : path
        Ends in .parquet; a file that is there is replaced.

    Raises
    ------
    InputError
        As `read_table` does, if the suffix is another one or the file cannot be written, or if a column holds values of
        several kinds or integers beyond 64 bits, which Parquet does not have.
    MissingDependencyError
        Without pandas or pyarrow.
    """
    target = Path(to)
    if target.suffix != ".parquet":
        raise InputError(f"`to` must end in .parquet, got {str(to)!r}")
    table = read_table(path)
    try:
        import pyarrow
    except ImportError as error:
        raise MissingDependencyError('Parquet files need pyarrow: pip install "hippo_theory[cluster]"') from error
    try:
        with replacing(target) as file:
            table.to_parquet(file)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}; give another file") from error
    except (pyarrow.ArrowException, OverflowError) as error:
        raise InputError(
            f"Parquet cannot hold a column of the store: {error}; use read_table or the store itself"
        ) from error
