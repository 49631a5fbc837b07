"""Progress on standard error, where people look at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "progress_bar"]


class Bar:
    """A bar that is moved by calling it; nothing is shown where standard error is no terminal."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress

    @property
    def is_seen(self) -> bool:
        """Whether anybody looks at it."""
        return self.progress is not None

    def __call__(self, description: str, done: int, total: int | None) -> None:
        """Show what is being done, how much is done and how much there is, if that is known."""
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=done, total=total, description=description)


@contextmanager
def progress_bar(description: str) -> Iterator[Bar]:
    """A bar until the end of the block; names of files and tensors are shown as they are, never as markup."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as progress:
        progress.add_task(description, total=None)
        yield Bar(progress)
