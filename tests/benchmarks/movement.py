"""Run all notebooks of a whole movement: time, memory, and what is left over.

    python -m tests.benchmarks.movement [--sites 62] [--jobs 2]

The sites are the demonstration's, again and again: each round is simulated from a seed of its own and bears a
number in its names. The network reads one table and one evidence log from a data folder, as a real one does.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evalkit.runs.execute import run_plan
from evalkit.runs.network import plan_network, prepare_data
from evalkit.simulate import simulate_network
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]
NETWORK = "movement"
FIRST_SEED = 2026
SAMPLED_EVERY = 1.0  # seconds
NETWORK_FILE = """network_id: movement
name: A movement (synthetic)
synthetic: true
minimum_cell: 10
reference:
  race_ethnicity: White
  income: not low income
sources:
  - {source_id: table, kind: tidy, label: "Made-up data", path: indicators.parquet}
"""


def write_movement(root: Path, *, sites: int) -> Path:
    """Write a workspace with this many made-up sites, and return the folder with their data."""
    for part in ("data_dictionary", "notebooks"):
        shutil.copytree(HOME / part, root / part)
    parameters, data = root / "parameters" / NETWORK, root / "data"
    (parameters / "sites").mkdir(parents=True)
    data.mkdir()
    (parameters / "network.yml").write_text(NETWORK_FILE, encoding="utf-8")
    models = sorted((HOME / "parameters" / "demo" / "sites").glob("*.yml"))
    indicators, evidence = [], []
    for number in range(1, 1 + -(-sites // len(models))):
        simulated = simulate_network(seed=FIRST_SEED + number - 1)
        chosen = models[: sites - (number - 1) * len(models)]
        for model in chosen:
            text = model.read_text(encoding="utf-8")
            place = model.stem.replace("-", " ").title()
            text = text.replace(model.stem, f"{model.stem}-{number}").replace(place, f"{place} {number}")
            (parameters / "sites" / f"{model.stem}-{number}.yml").write_text(text, encoding="utf-8")
        names = {
            f"{model.stem}{ending}": f"{model.stem}-{number}{ending}"
            for model in chosen
            for ending in ("", "-comparison")
        }
        indicators.append(_renamed(simulated.indicators, names).assign(source="table"))
        evidence.append(_renamed(simulated.evidence, names))
    pd.concat(indicators).to_parquet(data / "indicators.parquet", index=False)
    pd.concat(evidence).to_csv(data / "evidence.csv", index=False)
    return data


def _renamed(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    kept = frame[frame["site_id"].isin(list(names))]
    return kept.assign(site_id=kept["site_id"].map(names))


class Memory:
    """Samples the memory of this process and all below it: proportional set size (PSS), shared pages once."""

    def __init__(self) -> None:
        self.peak = 0  # kB
        self.ended = threading.Event()
        self.sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Memory":
        self.sampler.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended.set()
        self.sampler.join()

    def _sample(self) -> None:
        while not self.ended.wait(SAMPLED_EVERY):
            self.peak = max(self.peak, sum(_proportional_size(process) for process in _family()))


def _family() -> Iterator[int]:
    """Yield this process and all that stem from it."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(int(path.parent.name))
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        yield process
        waiting.extend(below.get(process, ()))


def _proportional_size(process: int) -> int:
    """Return a process's PSS in kB; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def left_over(root: Path, scratch: Path) -> tuple[list[str], list[str]]:
    """Name the processes that still run with this scratch folder, and the files that should be gone."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={scratch}".encode() in path.read_bytes():
                processes.append((path.parent / "cmdline").read_text().replace("\0", " ")[:80])
        except OSError:
            continue
    files = [path.relative_to(root).as_posix() for path in root.rglob("*.partial")]
    return processes, files + [path.name for path in scratch.iterdir()]


def main() -> None:
    """Print how long a movement takes, what memory, what is left over, and how long a rerun takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=62)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalkit-movement-") as folder:
        root, scratch = Path(folder) / "workspace", Path(folder) / "scratch"
        scratch.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        data = write_movement(root, sites=asked.sites)
        workspace = Workspace(root)

        def run() -> float:
            started = time.perf_counter()
            plan = plan_network(workspace, NETWORK, data=data)
            prepare_data(workspace, plan)
            nonlocal report
            report = run_plan(plan, jobs=asked.jobs)
            return time.perf_counter() - started

        report = None
        with Memory() as memory:
            seconds = run()
        for row in report.problems:
            print(f"{row.site_id}/{row.notebook} {row.status}: {row.error}")
        ran = pd.DataFrame([(row.notebook, row.seconds) for row in report.rows], columns=["name", "seconds"])
        print(f"{len(ran)} notebooks of {asked.sites} sites, {asked.jobs} at a time: {seconds:.1f} s")
        print(f"{len(report.problems)} did not end well. {report.note}".rstrip())
        print(f"{seconds / len(ran):.2f} s for each notebook; seconds of wall time by notebook:")
        print(ran.groupby("name")["seconds"].agg(["count", "mean", "max", "sum"]).round(2).to_string())
        print(f"peak memory of all processes together: {memory.peak / 2**20:.2f} GiB (PSS)")
        processes, files = left_over(root, scratch)
        print(f"left over: {len(processes)} processes {processes}, {len(files)} files {files}")
        print(
            f"nothing to do: {run():.2f} s, {sum(row.status == 'up to date' for row in report.rows)} skipped"
        )


if __name__ == "__main__":
    main()
