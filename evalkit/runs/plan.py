"""Which notebooks to run for one network and audience, in which order, with which parameters."""

import ast
import difflib
import json
import keyword
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.errors import ParameterError, raise_together
from evalkit.sites import reserved_site_id

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]*")
NOTEBOOK_NAME = re.compile(r"[0-9]+_[a-z0-9][a-z0-9_-]*")
PARAMETERS_TAG = "parameters"
FAILED = ".failed.ipynb"  # ending of the name of a notebook that did not end well

RESERVED_AUDIENCES = frozenset({"data"})  # folders of outputs/<network>/ that are not an audience's


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms an audience is shown data on one day.

    Attributes
    ----------
    network, audience : ids, as in `Plan`
    today : the day on which data agreements must be in force, such as "2026-09-30"
    data : the data folder, as in `Plan`
    site_ids : the sites whose withheld numbers and texts may stand in nothing that is written
    agreements : id of each data agreement -> what it says, and whether it is in force today
    """

    network: str
    audience: str
    today: str
    data: str
    site_ids: tuple[str, ...]
    agreements: dict[str, str] = field(hash=False)


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """One notebook to run once.

    Attributes
    ----------
    name : the notebook's file name without its ending, e.g. "2_turn_the_curve"
    notebook : the source notebook
    output : where the executed notebook goes, always `<folder>/notebooks/<name>.ipynb`
    parameters : values for the notebook's parameters cell, all text
    site_id : None for a network notebook
    terms : what it writes is looked through for what they withhold; None where nothing is withheld
    """

    name: str
    notebook: Path
    output: Path
    parameters: dict[str, str] = field(hash=False)
    site_id: str | None
    terms: Terms | None = None

    @property
    def folder(self) -> Path:
        """The folder that holds this site's (or the network's) notebooks, results and run records."""
        return self.output.parent.parent

    @property
    def failed(self) -> Path:
        """Where a run that did not end well is kept, with its error."""
        return self.output.with_name(f"{self.name}{FAILED}")

    @property
    def overflow(self) -> Path:
        """Where the output goes that would make the notebook too long."""
        return self.output.with_name(f"{self.name}.output.txt")

    @property
    def label(self) -> str:
        """The run's name for a person, e.g. "alder-park/2_turn_the_curve"."""
        return f"{self.site_id or 'network'}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything one batch run does.

    Attributes
    ----------
    root : the workspace; notebooks run with it as their working folder
    data : the data folder as the notebooks are told, relative to the root; "" for the network's own
    site_ids : every site of the network that may be shown to the audience, chosen or not
    chains : a tuple of runs for each chosen site; a run needs those before it, a chain needs no other
    network_runs : run in order once every chain has ended
    terms : those of each site, and of the network under None; empty where nothing is withheld
    own_data : paths in the data folder that only one site's sources name, by that site
    """

    root: Path
    network_id: str
    audience: str
    data: str
    site_ids: tuple[str, ...]
    chains: tuple[tuple[NotebookRun, ...], ...]
    network_runs: tuple[NotebookRun, ...]
    terms: Mapping[str | None, Terms] = field(default_factory=dict, hash=False)
    own_data: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)

    @property
    def runs(self) -> tuple[NotebookRun, ...]:
        """Every run: the sites' in the network's order, then the network's."""
        return (*(run for chain in self.chains for run in chain), *self.network_runs)

    @property
    def folder(self) -> Path:
        """The folder that holds all that is made for this network and audience."""
        return self.root / "outputs" / self.network_id / self.audience


def plan_runs(
    root: Path,
    *,
    network_id: str,
    site_ids: Sequence[str],
    audience: str = "public",
    data: Path | None = None,
    sites: Sequence[str] = (),
    notebooks: Sequence[str] = (),
    terms: Callable[[str | None, str], Terms] | None = None,
) -> Plan:
    """Lay out the runs of one network for one audience, and check every notebook's parameters.

    Parameters
    ----------
    root : the workspace; its `notebooks/site` and `notebooks/network` hold what can be run
    site_ids : every site of the network that may be shown to the audience, in the order in which reports
        name them; what stands in the audience's folder of any other, a run removes
    data : a folder with the network's data files; None for the network's own
    sites, notebooks : run only these; empty means all
    terms : gives the terms of a site, or of the network (None), and the data folder as notebooks are told

    Returns
    -------
    A plan with at least one run. A site's notebooks are in the order of their numbers.

    Raises
    ------
    ParameterError : an id that cannot name a folder, an unknown site or notebook, a data folder that is not
        there, no notebook, or a notebook whose parameters cell is absent or lacks a parameter; every
        problem at once.
    """
    root = root.resolve()
    site_notebooks = _find_notebooks(root / "notebooks" / "site")
    network_notebooks = _find_notebooks(root / "notebooks" / "network")
    every_name = [path.stem for path in (*site_notebooks, *network_notebooks)]
    problems = [
        *_identifier_problems(network_id, "network"),
        *_identifier_problems(audience, "audience", reserved=RESERVED_AUDIENCES),
        *(problem for site_id in site_ids for problem in _identifier_problems(site_id, "site")),
        *(f"site id {problem}" for site_id in site_ids if (problem := reserved_site_id(site_id))),
        *_unknown(sites, site_ids, f"site of {network_id}"),
        *_unknown(notebooks, every_name, "notebook"),
    ]
    if not every_name:
        problems.append(
            f"{root / 'notebooks'}: no notebook in site/ or network/; `evalkit init` makes a full workspace"
        )
    if data is not None and not data.is_dir():
        problems.append(f"{data}: no such data folder")
    raise_together(ParameterError, problems)

    told = "" if data is None else Path(os.path.relpath(data.resolve(), root)).as_posix()
    folder = root / "outputs" / network_id / audience
    agreed = {site_id: terms(site_id, told) for site_id in (*site_ids, None)} if terms is not None else {}

    def run(path: Path, site_id: str | None) -> NotebookRun:
        # a network notebook reads only what the sites' notebooks saved, so it is told of no data
        own = {} if site_id is None else {"site_id": site_id, "data": told}
        return NotebookRun(
            name=path.stem,
            notebook=path,
            output=folder / (site_id or "network") / "notebooks" / path.name,
            parameters={"network": network_id, "audience": audience, **own},
            site_id=site_id,
            terms=agreed.get(site_id),
        )

    chosen_sites = [site_id for site_id in site_ids if not sites or site_id in sites]
    chosen = [path for path in site_notebooks if not notebooks or path.stem in notebooks]
    plan = Plan(
        root=root,
        network_id=network_id,
        audience=audience,
        data=told,
        site_ids=tuple(site_ids),
        chains=tuple(tuple(run(path, site_id) for path in chosen) for site_id in chosen_sites)
        if chosen
        else (),
        network_runs=tuple(
            run(path, None) for path in network_notebooks if not notebooks or path.stem in notebooks
        ),
        terms=agreed,
    )
    first_of_each = {item.notebook: item for item in plan.runs}.values()
    raise_together(ParameterError, (p for item in first_of_each for p in parameter_problems(item)))
    return plan


def notebook_parameters(path: Path) -> frozenset[str]:
    """Read the names that a notebook's parameters cell assigns.

    Raises
    ------
    ParameterError : the file is no notebook, has no cell or several cells tagged "parameters", or that
        cell is not Python.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if PARAMETERS_TAG in cell["metadata"].get("tags", [])]
        sources = ["".join(cell["source"]) for cell in tagged]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParameterError(f"{path}: not a readable notebook ({type(error).__name__})") from error
    if len(sources) != 1:
        found = "no cell" if not sources else f"{len(sources)} cells"
        raise ParameterError(
            f"{path}: {found} tagged 'parameters'; tag exactly one, the one with the default values"
        )
    try:
        body = ast.parse(sources[0]).body
    except SyntaxError as error:
        raise ParameterError(
            f"{path}: the parameters cell is not Python (its line {error.lineno})"
        ) from error
    targets: list[ast.expr] = []
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets.extend(statement.targets)
        elif isinstance(statement, ast.AnnAssign):
            targets.append(statement.target)
    return frozenset(target.id for target in targets if isinstance(target, ast.Name))


def _find_notebooks(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.ipynb"))
    raise_together(
        ParameterError,
        (
            f"{path}: a notebook that runs in batch is named by a number and small letters, "
            f"such as 7_home_visits.ipynb; rename it or move it out of this folder"
            for path in paths
            if not NOTEBOOK_NAME.fullmatch(path.stem)
        ),
    )
    return sorted(paths, key=lambda path: (int(path.stem.partition("_")[0]), path.stem))


def parameter_problems(run: NotebookRun) -> Iterable[str]:
    """Say what is wrong with a run's parameters: a name that is code or unknown, a value that is no text."""
    try:
        known = notebook_parameters(run.notebook)
    except ParameterError as error:
        return error.problems
    problems = []
    for name, value in run.parameters.items():
        if not name.isidentifier() or keyword.iskeyword(name):
            problems.append(f"{run.notebook}: {name!r} cannot be the name of a parameter")
        elif name not in known:
            problems.append(
                f'{run.notebook}: the parameters cell has no {name!r}; add `{name} = ""` to it '
                f"(it has {', '.join(sorted(known)) or 'none'})"
            )
        elif not isinstance(value, str):
            problems.append(
                f"{run.notebook}: parameter {name!r} is {value!r}; parameters are text, so quote it"
            )
    return problems


def _identifier_problems(value: str, what: str, *, reserved: frozenset[str] = frozenset()) -> list[str]:
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        return [
            f"{what} id {value!r}: use small letters, digits, '-' and '_', starting with a letter or digit"
        ]
    if value in reserved:
        return [f"{what} id {value!r} is the name of a folder that evalkit makes; choose another"]
    return []


def _unknown(asked: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    problems = []
    for name in asked:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            mend = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            problems.append(f"no {what} {name!r}; {mend}")
    return problems
