"""Compare evalkit's batch run with plain papermill over the same notebooks, in one go and as ratios.

    python -m tests.benchmarks.runs [--sites 2] [--jobs 2]

Three ways over the demonstration's site notebooks, one after another on one machine: papermill's API in
a loop, papermill's API in a pool of processes, and `run_plan`. Another load on the machine hits all three, so
read the ratios and not the seconds.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from evalkit.runs.execute import run_plan
from evalkit.runs.network import plan_network, prepare_data
from evalkit.runs.plan import NotebookRun, Plan
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]


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


def main() -> None:
    """Print the seconds of each way and how many times as fast evalkit is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
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


if __name__ == "__main__":
    main()
