"""Run a plan in processes side by side, keep a site's trouble from the others, and report how all ended."""

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from evalkit.runs.kernels import Receipt
from evalkit.runs.lock import workspace_lock
from evalkit.runs.pages import Job, PageRun, Publication, page_run
from evalkit.runs.plan import NotebookRun, Plan
from evalkit.runs.pool import LostWorker, Pool, new_pool, stop_signals
from evalkit.runs.record import (
    PARTIAL,
    describe_inputs,
    renew_record,
    result_files,
    run_state,
    site_is_there,
    withdraw,
    write_record,
    write_whole,
)
from evalkit.runs.withdrawn import remove_withdrawn

NOTEBOOK_TIME_LIMIT = 600.0  # seconds for one notebook; the slowest of the demo takes about 5
WORKER_ATTEMPTS = 2  # a run whose worker process is lost is tried once more
SIGNAL_CHECK = 0.2  # seconds between two looks at whether the run was asked to stop
STOP_GRACE = 10.0  # seconds for the runs under way to save what they have

Outcome = Literal["done", "up to date", "failed", "interrupted", "not run"]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """How one planned run ended.

    Attributes
    ----------
    site_id : "network" for a network notebook
    seconds : wall time; 0 where nothing ran
    where : the failed notebook that was kept, relative to the workspace; "" where there is none
    error : one line; "" when all is well
    """

    site_id: str
    notebook: str
    status: Outcome
    seconds: float = 0.0
    where: str = ""
    error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether the run's outputs are there and rest on today's inputs."""
        return self.status in ("done", "up to date")


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a batch run ended.

    Attributes
    ----------
    rows : one for each planned run, in the plan's order
    stopped_by : number of the signal that ended the batch early; None when it came to its end
    note : why the runs were slower than they might be; "" when they were not
    removed : what was taken away because its site may no longer be shown, a sentence each
    """

    rows: tuple[RunRow, ...]
    stopped_by: int | None = None
    note: str = ""
    removed: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[RunRow, ...]:
        """The rows that did not end well."""
        return tuple(row for row in self.rows if not row.is_well)


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """Something to show while a batch works: a job that starts, or one that has ended.

    Attributes
    ----------
    row : how a notebook ended; None for pages, and while a job is under way
    """

    run: Job
    row: RunRow | None = None
    ended: bool = False


def run_plan(
    plan: Plan,
    *,
    jobs: int | None = None,
    time_limit: float = NOTEBOOK_TIME_LIMIT,
    force: bool = False,
    warm: bool = True,
    pool: Pool | None = None,
    publication: Publication | None = None,
    tell: Callable[[RunEvent], None] = lambda event: None,
) -> RunReport:
    """Run the sites' notebooks side by side, then the network's, and report how each ended.

    A run that is up to date is skipped. After a failure the rest of that site is not run, the other sites
    go on, and the network notebooks run over the sites that are there. What an earlier run had left for a
    failed notebook, and for those of the site that would have come after it, is removed: nothing in
    `outputs/` rests on a notebook that no longer runs. A run stopped from outside leaves earlier outputs
    as they are. What stands of a site that is not among those of the plan is removed before anything runs.

    Parameters
    ----------
    jobs : notebooks at a time; None for the number of cores
    time_limit : seconds for each notebook
    force : run also what is up to date
    warm : fork a process that has imported everything, where that is safe; else a kernel for each notebook
    pool : where the notebooks run, not yet entered; None for processes of this machine
    publication : what `publish_plan` will publish; its pages are prepared by workers that have no notebook
        to run. None to prepare none
    tell : called in this process whenever a run starts or ends

    Returns
    -------
    A report; nothing is raised for a notebook that fails. The same rows stand in `runs.jsonl` of the
    plan's folder.

    Raises
    ------
    RunError : another batch is under way in this workspace.
    """
    with (
        workspace_lock(plan.root),
        stop_signals() as stopped_by,
        pool or new_pool(jobs=jobs or core_count(), warm=warm) as chosen,
    ):
        for partial in plan.folder.rglob(f"*{PARTIAL}"):
            partial.unlink(missing_ok=True)
        removed = remove_withdrawn(plan)
        batch = _Batch(
            plan,
            pool=chosen,
            time_limit=time_limit,
            force=force,
            publication=publication,
            tell=tell,
            stopped_by=stopped_by,
        )
        batch.run()
    report = RunReport(
        rows=tuple(batch.rows[run] for run in plan.runs),
        stopped_by=next(iter(stopped_by), None),
        note=chosen.note,
        removed=removed,
    )
    if plan.runs:
        lines = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in report.rows)
        write_whole(plan.folder / "runs.jsonl", lines)
    return report


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class _UnderWay:
    run: NotebookRun
    rest: deque[NotebookRun]
    inputs: Mapping[str, Any]
    results_before: Mapping[Path, int]


class _Batch:
    """The runs of one plan that are waiting, under way and ended."""

    def __init__(
        self,
        plan: Plan,
        *,
        pool: Pool,
        time_limit: float,
        force: bool,
        publication: Publication | None,
        tell: Callable[[RunEvent], None],
        stopped_by: Sequence[int],
    ) -> None:
        self.plan = plan
        self.pool = pool
        self.time_limit = time_limit
        self.force = force
        self.publication = publication
        self.tell = tell
        self.stopped_by = stopped_by
        self.rows: dict[NotebookRun, RunRow] = {}
        self.ready: deque[tuple[NotebookRun, deque[NotebookRun]]] = deque()
        self.pages: deque[PageRun] = deque()
        self.under_way: dict[Future[Receipt], _UnderWay | PageRun] = {}
        self.open_chains = len(plan.chains)
        self.lost: Counter[NotebookRun] = Counter()

    def run(self) -> None:
        """Take every chain as far as it goes, then the network's; make pages when no notebook is ready."""
        chosen = {chain[0].site_id for chain in self.plan.chains}
        for site_id in self.plan.site_ids:
            if site_id not in chosen:
                self._add_pages(site_id)
        for chain in self.plan.chains:
            self._advance(deque(chain))
        if not self.plan.chains:
            self._begin_network()
        while not self.stopped_by and (self.ready or self.pages or self.under_way):
            # no more than there are workers: a run that waits inside the pool could not be held back
            while (self.ready or self.pages) and len(self.under_way) < self.pool.jobs:
                if self.ready:
                    self._submit(*self.ready.popleft())
                else:
                    self._submit_pages(self.pages.popleft())
            self._settle_finished(timeout=SIGNAL_CHECK)
        if self.stopped_by:
            self._stop()
            self.leave([run for run in self.plan.runs if run not in self.rows], "the run was stopped")

    def _begin_network(self) -> None:
        if self.plan.chains and not any(site_is_there(self.plan, site_id) for site_id in self.plan.site_ids):
            for run in self.plan.network_runs:
                withdraw(self.plan, run)
                run.failed.unlink(missing_ok=True)
            self.leave(self.plan.network_runs, "no site has a finished notebook")
        elif self.plan.network_runs:
            self._advance(deque(self.plan.network_runs))
        else:
            self._add_pages(None)

    def _end_chain(self, site_id: str | None) -> None:
        """Go on to what waited for a chain: its pages, and after the last site the network's notebooks."""
        if site_id is None and any(self.rows[run].status == "failed" for run in self.plan.network_runs):
            # every page links to those across sites, of which one will not be there
            for other in self.plan.site_ids:
                self._add_pages(other)
        self._add_pages(site_id)
        if site_id is not None:
            self.open_chains -= 1
            if not self.open_chains:
                self._begin_network()

    def _add_pages(self, site_id: str | None) -> None:
        if self.publication is None or (self.publication.stands and not self._has_run(site_id)):
            return
        failed = [run.name for run, row in self.rows.items() if row.status == "failed" and not run.site_id]
        self.pages.append(page_run(self.plan, site_id, self.publication, without=failed))

    def _has_run(self, site_id: str | None) -> bool:
        """Tell whether a notebook of the site, or with no site of any, was run by this batch."""
        return any(row.status == "done" and site_id in (None, run.site_id) for run, row in self.rows.items())

    def _stop(self) -> None:
        self.ready.clear()
        self.pages.clear()
        self.pool.interrupt()
        while self.under_way and self._settle_finished(timeout=STOP_GRACE):
            pass
        for entry in self.under_way.values():
            if isinstance(entry, _UnderWay):
                self._settle(entry, _interrupted())
        self.under_way.clear()
        self.pool.kill()

    def leave(self, runs: Sequence[NotebookRun], reason: str) -> None:
        """Report runs as not run."""
        for run in runs:
            self._end(run, status="not run", error=reason)

    def _advance(self, rest: deque[NotebookRun]) -> None:
        while rest and not self.stopped_by:
            run = rest.popleft()
            state = run_state(self.plan, run)
            if self.force or state.state != "done":
                self.ready.append((run, rest))
                return
            if state.reason:
                renew_record(self.plan, run)
            run.failed.unlink(missing_ok=True)
            self._end(run, status="up to date")
            if not rest:
                self._end_chain(run.site_id)

    def _submit(self, run: NotebookRun, rest: deque[NotebookRun]) -> None:
        entry = _UnderWay(
            run=run, rest=rest, inputs=describe_inputs(self.plan, run), results_before=result_files(run)
        )
        future = self.pool.submit(run, root=self.plan.root, time_limit=self.time_limit)
        self.under_way[future] = entry
        self.tell(RunEvent(run=run))

    def _submit_pages(self, pages: PageRun) -> None:
        future = self.pool.submit(pages, root=self.plan.root, time_limit=self.time_limit)
        self.under_way[future] = pages
        self.tell(RunEvent(run=pages))

    def _settle_finished(self, *, timeout: float) -> bool:
        finished, _ = wait(self.under_way, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in finished:
            entry = self.under_way.pop(future)
            if isinstance(entry, PageRun):
                # whatever came of it, `publish_network` makes what is not there
                self.tell(RunEvent(run=entry, ended=True))
                continue
            try:
                receipt = future.result()
            except (BrokenProcessPool, LostWorker):
                self._settle_lost(entry)
            else:
                self._settle(entry, receipt)
        return bool(finished)

    def _settle_lost(self, entry: _UnderWay) -> None:
        self.lost[entry.run] += 1
        if self.stopped_by:
            self._settle(entry, _interrupted())
        elif self.lost[entry.run] < WORKER_ATTEMPTS:
            self.ready.appendleft((entry.run, entry.rest))
        else:
            error = "the process that ran it was killed (out of memory?)"
            self._settle(entry, Receipt(status="failed", error=error, saved=None, seconds=0.0))

    def _settle(self, entry: _UnderWay, receipt: Receipt) -> None:
        """Keep the books of a run that ended, and go on with the site."""
        try:
            self._keep_books(entry, receipt)
        except OSError as trouble:
            error = receipt.error or f"cannot write its record: {trouble.strerror}; mend that and run again"
            receipt = replace(receipt, status="failed", error=error)
        self._end(entry.run, receipt)
        if receipt.status == "done" and entry.rest:
            self._advance(entry.rest)
            return
        self.leave(entry.rest, f"{entry.run.name} did not end well")
        if not self.stopped_by:
            self._end_chain(entry.run.site_id)

    def _keep_books(self, entry: _UnderWay, receipt: Receipt) -> None:
        """Put the record beside the outputs, or take away what no longer holds."""
        run = entry.run
        made = {
            path for path, changed in result_files(run).items() if entry.results_before.get(path) != changed
        }
        if receipt.status == "done":
            outputs = {run.output, *made, *(path for path in [run.overflow] if path.is_file())}
            write_record(
                self.plan,
                run,
                entry.inputs,
                status="done",
                error="",
                outputs=outputs,
                data_sha256=receipt.data_sha256,
            )
        elif receipt.status == "failed":
            withdraw(self.plan, run, made)
            write_record(self.plan, run, entry.inputs, status="failed", error=receipt.error, outputs=())
            for stale in entry.rest:
                withdraw(self.plan, stale)
                stale.failed.unlink(missing_ok=True)

    def _end(
        self, run: NotebookRun, receipt: Receipt | None = None, *, status: Outcome = "done", error: str = ""
    ) -> None:
        if receipt is not None:
            status, error = receipt.status, receipt.error
        kept = receipt.saved if receipt is not None and status != "done" else None
        self.rows[run] = RunRow(
            site_id=run.site_id or "network",
            notebook=run.name,
            status=status,
            seconds=round(receipt.seconds, 2) if receipt is not None else 0.0,
            where=kept.relative_to(self.plan.root).as_posix() if kept else "",
            error=error,
        )
        self.tell(RunEvent(run=run, row=self.rows[run], ended=True))


def _interrupted() -> Receipt:
    return Receipt(status="interrupted", error="the run was stopped from outside", saved=None, seconds=0.0)
