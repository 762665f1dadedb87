"""What a batch shows while it works: on a terminal a bar for each site, elsewhere a line a notebook."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.runs.execute import RunEvent
    from evalkit.runs.plan import Plan

NETWORK = "network"


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
