"""The workspace: the folder that holds parameters/, data_dictionary/, notebooks/ and outputs/."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evalkit.agreements import AUDIENCES
from evalkit.dictionary import DataDictionary, read_dictionary
from evalkit.documents import suggestion
from evalkit.errors import ParameterError
from evalkit.parameters import Network, read_network

PARTS = ("data_dictionary", "notebooks", "parameters")
PARTIAL = ".partial"  # what a killed `evalkit init` was making; the next one begins anew


@dataclass(frozen=True)
class Workspace:
    """A workspace by its root folder; knows where everything stands."""

    root: Path

    @cached_property
    def dictionary(self) -> DataDictionary:
        """The data dictionary of this workspace."""
        return read_dictionary(self.root / "data_dictionary")

    def networks(self) -> list[str]:
        """List the networks that have parameters."""
        return sorted(path.parent.name for path in (self.root / "parameters").glob("*/network.yml"))

    def network_folder(self, network: str) -> Path:
        """Return parameters/<network>.

        Raises
        ------
        ParameterError : there is no such network; the nearest name is offered.
        """
        if network not in self.networks():
            hint = suggestion(network, self.networks())
            raise ParameterError(
                f"unknown network {network!r}; {hint or 'add parameters/<network>/network.yml and sites/'}"
            )
        return self.root / "parameters" / network

    def network(self, network: str) -> Network:
        """Read the parameters of a network, checked against the dictionary."""
        return read_network(self.network_folder(network), dictionary=self.dictionary)

    def outputs(self, network: str, audience: str) -> Path:
        """Return outputs/<network>/<audience>; it need not exist yet.

        Raises
        ------
        ParameterError : the audience is none of internal, partners and public.
        """
        if audience not in AUDIENCES:
            raise ParameterError(f"unknown audience {audience!r}; use one of {', '.join(AUDIENCES)}")
        return self.root / "outputs" / network / audience

    def data(self, network: str, data: str) -> Path:
        """Return the folder that holds a network's data: the one named, or outputs/<network>/data.

        Raises
        ------
        ParameterError : the folder named does not exist.
        """
        if not data:
            return self.root / "outputs" / network / "data"
        folder = Path(data)
        folder = folder if folder.is_absolute() else self.root / folder
        if not folder.is_dir():
            raise ParameterError(
                f"{folder.name}: no such data folder; give the folder that holds the data files"
            )
        return folder


def find_workspace(start: Path | str | None = None) -> Workspace:
    """Find the workspace that a folder belongs to, looking upward from it (by default the working folder).

    Raises
    ------
    ParameterError : neither it nor a folder above it holds parameters/ and data_dictionary/.
    """
    here = Path(start) if start else Path.cwd()
    for folder in (here.resolve(), *here.resolve().parents):
        if (folder / "parameters").is_dir() and (folder / "data_dictionary").is_dir():
            return Workspace(folder)
    raise ParameterError(
        f"{here.name or here}: no workspace here or above (it holds parameters/ and data_dictionary/); "
        "make one with `evalkit init DIR`"
    )


def init_workspace(directory: Path) -> Workspace:
    """Make a workspace with the data dictionary, the notebooks and the demonstration's parameters.

    The parts are moved into a folder that is there already, which may be the working folder or a mount.

    Raises
    ------
    ParameterError : the folder already holds something.
    """
    home = directory.resolve()
    half = home / PARTIAL
    if home.exists() and (not home.is_dir() or any(path != half for path in home.iterdir())):
        raise ParameterError(f"{home.name}: is not an empty folder; name a new one")
    shipped = Path(__file__).parent / "_workspace"
    source = shipped if shipped.is_dir() else Path(__file__).parents[1]
    shutil.rmtree(half, ignore_errors=True)
    for part in PARTS:
        shutil.copytree(source / part, half / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (half / "outputs").mkdir()
    for path in sorted(half.iterdir()):
        path.rename(home / path.name)
    half.rmdir()
    return Workspace(home)
