"""What a batch shows, while it works and at its end: on a terminal bars and tables, elsewhere lines."""

import errno
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from evalkit.runs.execute import RunEvent, RunReport
    from evalkit.runs.plan import Plan

NETWORK = "network"


class _Display(io.FileIO):
    """A stream that nobody may read to its end: what cannot be written is dropped, and ends no run."""

    def write(self, content: "ReadableBuffer", /) -> int:
        try:
            return super().write(content)
        except OSError as trouble:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if trouble.errno != errno.EPIPE:
                print(
                    f"evalkit: the output ends here ({trouble.strerror}); the work goes on", file=sys.stderr
                )
            return memoryview(content).nbytes


def open_streams() -> None:
    """Have whatever is printed go somewhere: no letter, no closed or full stream may end the work.

    A letter that the encoding of the terminal lacks is written as its number.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number is taken, so that no file of the run is mistaken for a stream
            os.set_inheritable(os.open(os.devnull, mode), True)
    sys.stdout = _open_stream(sys.stdout, 1)
    sys.stderr = _open_stream(sys.stderr, 2)


def _open_stream(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(_Display(number, "w", closefd=False)), encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="backslashreplace")
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO or raw.fileno() != number:
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Display(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextmanager
def progress_of(plan: "Plan") -> Iterator[Callable[["RunEvent"], None]]:
    """Give what `run_plan` is to tell its events to."""
    if not sys.stdout.isatty():
        yield _Lines(len(plan.runs))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Progress(*columns) as progress:
        whole = progress.add_task("all", total=len(plan.runs), state="")
        of_site = Counter(run.site_id or NETWORK for run in plan.runs)
        tasks = {
            name: progress.add_task(name, total=total, visible=False, state="")
            for name, total in of_site.items()
        }

        def show(event: "RunEvent") -> None:
            name = event.run.site_id or NETWORK
            if event.row is not None:
                progress.advance(whole)
            if name not in tasks:
                return
            step = event.run.label.partition("/")[2]
            state = step if not event.ended else event.row.status if event.row else "done"
            progress.update(
                tasks[name],
                advance=int(event.row is not None),
                state=state,
                # what is done makes room for what is under way; trouble stays in sight
                visible=not event.ended or state not in ("done", "up to date"),
            )
            if event.row is not None and event.row.status == "failed":
                progress.console.print(f"{event.run.label} failed: {event.row.error}", markup=False)

        yield show


class _Lines:
    """Prints a line for each notebook that has ended."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended = 0

    def __call__(self, event: "RunEvent") -> None:
        row = event.row
        if row is None:
            return
        self.ended += 1
        seconds = f" in {row.seconds:.1f} s" if row.seconds else ""
        error = f": {row.error}" if row.error else ""
        print(f"[{self.ended}/{self.total}] {event.run.label} {row.status}{seconds}{error}", flush=True)


def print_problems(report: "RunReport") -> None:
    """Print a line for every notebook that did not end well, and where to look; nothing where all did."""
    if not report.problems:
        return
    print(f"\n{len(report.problems)} of {len(report.rows)} notebooks did not end well:")
    together: dict[tuple[str, str, str], list[str]] = {}
    for row in report.problems:
        together.setdefault((row.site_id, row.status, row.error), []).append(row.notebook)
    print_table(
        ("site", "notebook", "status", "why"),
        [
            (site, names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else ""), status, error)
            for (site, status, error), names in together.items()
        ],
    )
    kept = [row.where for row in report.problems if row.where]
    if kept:
        print("\nWhere to look:", *kept, sep="\n  ")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits a terminal; elsewhere whole lines, so that paths and errors can be found."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*headings)
        for row in rows:
            table.add_row(*(Text(cell, overflow="fold") for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    for row in (headings, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
