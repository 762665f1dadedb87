"""What a person waits for first: the command line's help, and the six EDFacts files in a table.

Run `python -m tests.benchmarks.start [FOLDER]`; FOLDER holds the acgr-sch-sy*.csv files.
"""

import subprocess
import sys
import time
from pathlib import Path

from evalkit.dictionary import read_dictionary
from evalkit.readers import read_edfacts_acgr

ROOT = Path(__file__).parents[2]
HELP = "from evalkit.cli import main; main(['--help'])"
TIMES = 5  # the first fills the caches and is not counted


def seconds(program: str) -> float:
    """Return the median seconds of a whole Python process."""
    found = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - begin)
    return sorted(found[1:])[(TIMES - 1) // 2]


def main(arguments: list[str]) -> None:
    """Print what was measured, and what an empty Python process costs beside it."""
    print(f"an empty process          {seconds('pass'):.3f} s")
    print(f"import evalkit            {seconds('import evalkit'):.3f} s")
    print(f"evalkit --help            {seconds(HELP):.3f} s")
    if arguments:
        begin = time.perf_counter()
        table = read_edfacts_acgr(Path(arguments[0]), dictionary=read_dictionary(ROOT / "data_dictionary"))
        print(f"EDFacts, {len(table):,} rows     {time.perf_counter() - begin:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
