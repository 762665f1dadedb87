"""Compare evalkit's batch run with plain papermill over the same notebooks, in one go and as ratios.

    python -m tests.benchmarks.runs [--sites 2] [--jobs 2]

Three ways over the demonstration's site notebooks, one after another on one machine: papermill's API in
a loop, papermill's API in a pool of processes, and `run_plan`. Another load on the machine hits all three, so
read the ratios and not the seconds. Last, what a notebook costs beyond its cells: evalkit's receipts, one
notebook at a time, less the seconds of the same cells in a fork of a process that has imported everything.
"""

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.runs.execute import run_plan
from evalkit.runs.kernels import worker_environment
from evalkit.runs.network import plan_network, prepare_data
from evalkit.runs.plan import NotebookRun, Plan
from evalkit.runs.server import preload, read_ahead
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]
REPEATS = 3  # another load on the machine seldom hits all of them


def run_with_papermill(runs: tuple[NotebookRun, ...], root: Path) -> None:
    """Run notebooks one after another as papermill's manual says."""
    import papermill

    os.environ["MPLBACKEND"] = "agg"
    for run in runs:
        run.output.parent.mkdir(parents=True, exist_ok=True)
        papermill.execute_notebook(
            run.notebook, run.output, parameters=run.parameters, progress_bar=False, cwd=root
        )


def run_in_pool(plan: Plan, jobs: int) -> None:
    """Run each site's notebooks in a process of a plain pool."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for future in [pool.submit(run_with_papermill, chain, plan.root) for chain in plan.chains]:
            future.result()


def _run_with_evalkit(plan: Plan, jobs: int) -> None:
    report = run_plan(plan, jobs=jobs)
    if report.problems or report.note:
        raise SystemExit(f"not a fair comparison: {report.note} {report.problems}")


def time_cells(plan: Plan, answers: Connection) -> None:
    """Send the seconds that the cells of each run take in a fork of this process, and nothing but the cells.

    To be called in a fresh process; it imports and caches what the warm server does.
    """
    preload()
    read_ahead(plan.network_id, plan.root)
    gc.freeze()
    for run in plan.runs:
        process = os.fork()
        if process == 0:
            try:
                os.chdir(plan.root)
                answers.send(_cell_seconds(run))
            finally:
                os._exit(0)
        os.waitpid(process, 0)


def _cell_seconds(run: NotebookRun) -> float:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    cells = [cell for cell in json.loads(run.notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    started = time.perf_counter()
    for cell in cells:
        # shown objects are rendered as in a notebook
        with capture_output():
            result = shell.run_cell("".join(cell["source"]), store_history=True)
            if "parameters" in cell["metadata"].get("tags", []):
                shell.user_ns.update(run.parameters)
        result.raise_error()
    return time.perf_counter() - started


def print_overhead(plan: Plan) -> None:
    """Print by notebook the seconds of its receipt, of its cells alone, and the difference."""
    receipts, own = [], []
    for _ in range(REPEATS):
        shutil.rmtree(plan.folder)
        receipts.append([row.seconds for row in run_plan(plan, jobs=1).rows])
        shutil.rmtree(plan.folder)
        here, there = multiprocessing.Pipe(duplex=False)
        with tempfile.TemporaryDirectory() as scratch:
            os.environ.update(worker_environment(Path(scratch)))
            process = multiprocessing.get_context("spawn").Process(target=time_cells, args=(plan, there))
            process.start()
            there.close()
            own.append([here.recv() for _ in plan.runs])
            process.join()
    ran = pd.DataFrame({"receipt": np.min(receipts, axis=0), "cells": np.min(own, axis=0)})
    ran["beyond"] = ran["receipt"] - ran["cells"]
    print(f"\nseconds for each notebook, least of {REPEATS} times, means over the sites")
    print(ran.groupby([run.name for run in plan.runs]).mean().round(2).to_string())
    print(f"beyond the cells' own work: {ran['beyond'].mean():.2f} s (at most {ran['beyond'].max():.2f} s)")


def main() -> None:
    """Print the seconds of each way and how many times as fast evalkit is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only-overhead", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalkit-benchmark-") as folder:
        root = Path(folder)
        for part in ("parameters", "data_dictionary", "notebooks"):
            shutil.copytree(HOME / part, root / part)
        workspace = Workspace(root)
        sites = list(workspace.network("demo").sites)[: asked.sites]
        names = [path.stem for path in (root / "notebooks" / "site").glob("*.ipynb")]
        plan = plan_network(workspace, "demo", sites=sites, notebooks=names)
        prepare_data(workspace, plan)
        if asked.only_overhead:
            plan.folder.mkdir(parents=True)
            print_overhead(plan)
            return
        ways: dict[str, Callable[[], None]] = {
            "papermill API, one after another": lambda: run_with_papermill(plan.runs, plan.root),
            f"papermill API, {asked.jobs} processes": lambda: run_in_pool(plan, asked.jobs),
            f"evalkit run, {asked.jobs} jobs": lambda: _run_with_evalkit(plan, asked.jobs),
            "evalkit run, nothing to do": lambda: _run_with_evalkit(plan, asked.jobs),
        }
        print(f"{len(plan.runs)} notebooks of {len(sites)} sites")
        seconds = {}
        for name, way in ways.items():
            if name.endswith("jobs"):
                shutil.rmtree(plan.folder)
            started = time.perf_counter()
            way()
            seconds[name] = time.perf_counter() - started
            print(f"{name:<36} {seconds[name]:7.1f} s", flush=True)
        loop, pool, ours, _ = seconds.values()
        print(f"evalkit is {loop / ours:.1f} times the loop and {pool / ours:.1f} times the pool")
        print_overhead(plan)


if __name__ == "__main__":
    main()
