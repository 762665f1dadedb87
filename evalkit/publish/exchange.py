"""A website is built beside the one that stands and takes its place only when it is whole."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SITE = "site"
PREVIOUS = ".site-previous"
BUILDING = ".site-building-"
READABLE = 0o755  # for everybody, as a website is; until then pages are there that nobody has looked through


@dataclass(frozen=True)
class Building:
    """A fresh folder beside the website that stands."""

    folder: Path

    def put_in_place(self) -> Path:
        """Exchange the website that stands for this one; return where it stands now."""
        self.folder.chmod(READABLE)
        site, previous = self.folder.with_name(SITE), self.folder.with_name(PREVIOUS)
        shutil.rmtree(previous, ignore_errors=True)
        if site.exists():
            site.rename(previous)
        try:
            self.folder.rename(site)
        except BaseException:  # a signal too
            if previous.exists() and not site.exists():
                previous.rename(site)
            raise
        shutil.rmtree(previous, ignore_errors=True)
        return site


@contextmanager
def fresh_building(outputs: Path) -> Iterator[Building]:
    """Give a folder to build a website in; what was not put in place is gone afterwards.

    Call it with the workspace locked: what another publication was building is taken for one that was killed.
    """
    site, previous = outputs / SITE, outputs / PREVIOUS
    if previous.is_dir() and not site.exists():
        # An earlier exchange was cut short between its two steps.
        previous.rename(site)
    for killed in outputs.glob(f"{BUILDING}*"):
        shutil.rmtree(killed)
    folder = Path(tempfile.mkdtemp(prefix=BUILDING, dir=outputs))
    try:
        yield Building(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
