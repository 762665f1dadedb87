"""The command line: each verb parses, calls what does the work, prints, and returns a code.

0 is fine, 1 is a problem or a failed run, 2 is wrong usage, and 128 + N is a run stopped by signal N.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit import __version__
from evalkit.errors import EvalkitError, PublishError
from evalkit.progress import open_streams, print_problems, print_table

if TYPE_CHECKING:
    from evalkit.runs.execute import RunReport
    from evalkit.runs.pages import Publication
    from evalkit.runs.plan import Plan
    from evalkit.workspace import Workspace

PROBLEM = 1
KERNELS = ("warm", "plain")
SIGNAL_BASE = 128  # a shell's convention for a command that a signal ended

LONGEST_TIME_LIMIT = 7 * 24 * 3600  # seconds; timers of the operating system overflow after some weeks

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


def _read_folder(text: str) -> Path:
    if not text:
        raise typer.BadParameter("it is empty (a variable that is not set?); name a folder, or leave it out")
    return Path(text)


def _check_limit(seconds: float | None) -> float | None:
    # put this way round, it refuses what is no number too
    if seconds is not None and not 1 <= seconds <= LONGEST_TIME_LIMIT:
        raise typer.BadParameter(f"{seconds:g}; use 1 to {LONGEST_TIME_LIMIT} seconds, which is a week")
    return seconds


def _check_audience(asked: str) -> str:
    from evalkit.agreements import AUDIENCES

    return _one_of(AUDIENCES, asked)


def _check_renderer(asked: str) -> str:
    from evalkit.publish.renderers import RENDERERS

    return _one_of(RENDERERS, asked)


def _check_kernel(asked: str) -> str:
    return _one_of(KERNELS, asked)


def _one_of(known: Sequence[str], asked: str) -> str:
    if asked not in known:
        raise typer.BadParameter(f"{asked!r}; use one of {', '.join(known)}")
    return asked


NetworkOption = Annotated[
    str | None,
    typer.Option("--network", metavar="ID", help="A folder of parameters/; needed where there are several."),
]
SiteOption = Annotated[
    list[str] | None, typer.Option("--site", metavar="ID", help="Only this site; may be given again.")
]
NotebookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--notebook", metavar="NAME", help="Only this notebook, such as 4_equity_gaps; may be given again."
    ),
]
AudienceOption = Annotated[
    str, typer.Option("--audience", callback=_check_audience, help="internal, partners or public.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        parser=_read_folder,
        help="Folder of data files, if not outputs/<network>/data.",
    ),
]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", metavar="DIR", parser=_read_folder, help="The workspace, if not here or above."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="Notebooks at a time; as many as cores by default."),
]
LimitOption = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        callback=_check_limit,
        help="For each notebook; 600 by default.",
    ),
]
KernelOption = Annotated[
    str,
    typer.Option(
        "--kernel",
        metavar="KIND",
        callback=_check_kernel,
        help="warm (imports once) or plain (a kernel for each).",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="A Dask scheduler, such as tcp://host:8786."),
]
ShareOption = Annotated[
    str | None,
    typer.Option(
        "--share", metavar="URL", help="For a cluster that does not see this folder; fsspec's kind."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run also what is up to date.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its code; a problem a person can mend is printed without a traceback."""
    open_streams()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="evalkit")
    except EvalkitError as error:
        for problem in error.problems:
            print(f"evalkit: {problem}", file=sys.stderr)
        return PROBLEM
    except OSError as error:
        print(f"evalkit: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return PROBLEM
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else PROBLEM * bool(ended.code)
    return 0


def _print_version(asked: bool) -> None:
    if asked:
        print(f"evalkit {__version__}")
        raise typer.Exit


@app.callback()
def _evalkit(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Evaluate collective-impact initiatives: run notebooks, publish case studies."""


@app.command()
def demo(jobs: JobsOption = None, force: ForceOption = False, workspace: WorkspaceOption = None) -> None:
    """Run and publish the demonstration (made-up data)."""
    _run_and_publish(_open(workspace), "demo", audience="public", jobs=jobs, force=force)


@app.command()
def init(directory: Annotated[str, typer.Argument(metavar="DIR", help="A new or empty folder.")]) -> None:
    """Make a workspace of your own."""
    from evalkit.workspace import init_workspace

    if not directory.strip():
        raise typer.BadParameter("it is empty; name a new folder, or . for this one", param_hint="DIR")
    made = init_workspace(Path(directory))
    print(f"A workspace is in {made.root}. Go there and try `evalkit demo`.")


@app.command()
def check(network: NetworkOption = None, data: DataOption = None, workspace: WorkspaceOption = None) -> None:
    """List every problem in parameters and data."""
    from evalkit.audit import check_workspace, unseen_data

    home = _open(workspace)
    problems = check_workspace(home, network=network, data=str(data.resolve()) if data else "")
    if network is None and data is None:
        print(*(f"note: {sentence}\n" for sentence in unseen_data(home)), sep="", end="")
    if not problems:
        print("No problem found.")
        return
    print(*problems, f"{len(problems)} problem{'s' * (len(problems) > 1)} found.", sep="\n")
    raise typer.Exit(PROBLEM)


@app.command()
def run(
    network: NetworkOption = None,
    site: SiteOption = None,
    notebook: NotebookOption = None,
    audience: AudienceOption = "public",
    data: DataOption = None,
    jobs: JobsOption = None,
    time_limit: LimitOption = None,
    kernel: KernelOption = "warm",
    cluster: ClusterOption = None,
    share: ShareOption = None,
    force: ForceOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run what is not up to date, then publish."""
    if share and not cluster:
        raise typer.BadParameter("it goes with --cluster ADDRESS", param_hint="--share")
    home = _open(workspace)
    _run_and_publish(
        home,
        _choose_network(home, network),
        audience=audience,
        data=data,
        sites=site or (),
        notebooks=notebook or (),
        jobs=jobs,
        time_limit=time_limit,
        warm=kernel == "warm",
        cluster=cluster,
        share=share or "",
        force=force,
    )


@app.command()
def status(
    network: NetworkOption = None,
    audience: AudienceOption = "public",
    data: DataOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Show what is done, failed or stale, and why."""
    from evalkit.runs.network import plan_network
    from evalkit.runs.record import run_states
    from evalkit.runs.withdrawn import withdrawn_folders

    home = _open(workspace)
    plan = plan_network(home, _choose_network(home, network), audience=audience, data=data)
    states = run_states(plan)
    gone = withdrawn_folders(plan.folder, plan.site_ids)
    print_table(
        ("site", "notebook", "state", "why"),
        [
            *(
                (state.run.site_id or "network", state.run.name, state.state, state.reason)
                for state in states
            ),
            *((path.name, "all", "withdrawn", "not to be shown; the next run removes it") for path in gone),
        ],
    )
    if any(state.state == "failed" for state in states):
        raise typer.Exit(PROBLEM)


@app.command()
def publish(
    network: NetworkOption = None,
    audience: AudienceOption = "public",
    to: Annotated[str, typer.Option("--to", help="Formats, separated by commas.")] = "html,pdf,docx",
    renderer: Annotated[
        str, typer.Option("--renderer", callback=_check_renderer, help="auto, quarto or pandoc.")
    ] = "auto",
    data: DataOption = None,
    jobs: JobsOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Make the pages from the notebooks that ran."""
    from evalkit.publish import check_formats
    from evalkit.runs.execute import run_plan
    from evalkit.runs.lock import workspace_lock
    from evalkit.runs.network import plan_pages
    from evalkit.runs.pages import Publication

    home = _open(workspace)
    try:
        formats = check_formats(tuple(part.strip() for part in to.split(",") if part.strip()))
    except PublishError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    publication = Publication(formats=formats, renderer=renderer)
    plan = plan_pages(home, _choose_network(home, network), audience=audience, data=data)
    with workspace_lock(plan.root):
        report = run_plan(plan, jobs=jobs, publication=publication)
        _print_notes(report)
        if report.stopped_by is not None:
            raise typer.Exit(SIGNAL_BASE + report.stopped_by)
        kept_back = _publish(home, plan, publication)
        _print_stale(home, plan, report)
        if kept_back:
            raise typer.Exit(PROBLEM)


@app.command()
def lab(
    port: Annotated[int | None, typer.Option("--port", help="Any free one by default.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Open JupyterLab here, for this machine only."""
    import subprocess

    root = _open(workspace).root
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={root}",
    ]
    command += [f"--ServerApp.port={port}"] if port else []
    command += [] if browser else ["--no-browser"]
    # a container's only user is often root, which Jupyter refuses unless told
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with subprocess.Popen(command, cwd=root) as jupyter:
        while True:
            try:
                raise typer.Exit(jupyter.wait())
            except KeyboardInterrupt:
                continue  # Jupyter has heard it too, and asks or ends


def _open(folder: Path | None) -> "Workspace":
    from evalkit.workspace import find_workspace

    return find_workspace(folder)


def _choose_network(workspace: "Workspace", asked: str | None) -> str:
    if asked is not None:
        return asked
    known = workspace.networks()
    if len(known) == 1:
        return known[0]
    raise typer.BadParameter(f"name one with --network: {', '.join(known) or 'parameters/ holds none yet'}")


def _run_and_publish(
    workspace: "Workspace",
    network: str,
    *,
    audience: str,
    data: Path | None = None,
    sites: Sequence[str] = (),
    notebooks: Sequence[str] = (),
    jobs: int | None = None,
    time_limit: float | None = None,
    warm: bool = True,
    cluster: str | None = None,
    share: str = "",
    force: bool = False,
) -> None:
    from evalkit.progress import progress_of
    from evalkit.runs.cluster import ClusterPool
    from evalkit.runs.execute import NOTEBOOK_TIME_LIMIT, run_plan
    from evalkit.runs.lock import workspace_lock
    from evalkit.runs.network import plan_network, prepare_data
    from evalkit.runs.pages import Publication
    from evalkit.runs.published import standing_publication

    plan = plan_network(workspace, network, audience=audience, data=data, sites=sites, notebooks=notebooks)
    with workspace_lock(workspace.root):
        prepare_data(workspace, plan)
        publication = Publication()
        standing = standing_publication(plan, publication)
        pool = ClusterPool(plan, address=cluster, share=share, jobs=jobs, warm=warm) if cluster else None
        with progress_of(plan) as tell:
            report = run_plan(
                plan,
                jobs=jobs,
                time_limit=time_limit or NOTEBOOK_TIME_LIMIT,
                force=force,
                warm=warm,
                pool=pool,
                publication=publication if standing is None else replace(publication, stands=True),
                tell=tell,
            )
        _print_notes(report)
        kept_back = False
        try:
            if (
                standing is not None
                and not report.removed
                and all(row.status == "up to date" for row in report.rows)
            ):
                _print_published(standing.problems, standing.index)
                _print_stale(workspace, plan, report)
            elif report.stopped_by is None and (
                # where nothing ended well, what stands must not go on to show what no longer is
                any(row.is_well for row in report.rows) or (plan.folder / "site").is_dir()
            ):
                kept_back = _publish(workspace, plan, publication)
                _print_stale(workspace, plan, report)
        finally:
            print_problems(report)
        if report.stopped_by is not None:
            raise typer.Exit(SIGNAL_BASE + report.stopped_by)
        if report.problems or kept_back:
            raise typer.Exit(PROBLEM)


def _publish(workspace: "Workspace", plan: "Plan", publication: "Publication") -> bool:
    """Publish, and say whether a page was kept back because of what it shows."""
    from evalkit.runs.pages import publish_plan
    from evalkit.runs.pool import Stopped, stop_at_once
    from evalkit.runs.published import note_publication

    try:
        with stop_at_once():
            published = publish_plan(workspace, plan, publication)
            if not published.kept_back:
                note_publication(plan, publication, published.problems)
    except Stopped as stopped:
        raise typer.Exit(SIGNAL_BASE + stopped.number) from None
    _print_published(published.problems, published.index)
    return bool(published.kept_back)


def _print_published(problems: Sequence[str], index: Path) -> None:
    print(*(f"note: {problem}" for problem in problems), f"The site is at {index}", sep="\n")


def _print_stale(workspace: "Workspace", plan: "Plan", report: "RunReport") -> None:
    """Say of which notebooks the pages show an earlier state; those that have just run show today's."""
    from evalkit.runs.network import plan_network
    from evalkit.runs.record import run_state

    data = workspace.root / plan.data if plan.data else None
    whole = plan_network(workspace, plan.network_id, audience=plan.audience, data=data)
    fresh = {run for run, row in zip(plan.runs, report.rows, strict=True) if row.is_well}
    for run in whole.runs:
        state = run_state(whole, run) if run not in fresh else None
        if state is not None and state.state == "stale":
            print(
                f"note: {run.label}: {state.reason} since; its page shows an earlier state; run `evalkit run`"
            )


def _print_notes(report: "RunReport") -> None:
    for note in filter(None, (report.note, *report.removed)):
        print(f"note: {note}")
