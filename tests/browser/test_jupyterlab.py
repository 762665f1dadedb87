"""A person opens a notebook in JupyterLab and runs all its cells: it works, and shows its picture."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_LIMIT = 60  # seconds until the server answers
RUN_LIMIT = 120  # seconds until every cell has run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

SESSION_IS_READY = """async () => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const session = panel?.context?.sessionContext;
  if (!session) return false;
  await panel.context.ready;
  await session.ready;
  const kernel = session.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""
RUN_ALL = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
CELLS = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const session = panel.context.sessionContext.session;
  const cells = panel.content.model.sharedModel.cells.filter(cell => cell.cell_type === 'code');
  return {
    idle: session.kernel.status === 'idle',
    counts: cells.map(cell => cell.execution_count),
    errors: cells.flatMap(cell => cell.outputs.filter(o => o.output_type === 'error').map(o => o.evalue)),
    pictures: cells.flatMap(cell => cell.outputs.filter(o => o.data && o.data['image/png'])).length,
  };
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over a fresh workspace, with every folder of its own."""
    home = tmp_path_factory.mktemp("lab")
    workspace = home / "workspace"
    from evalkit.workspace import init_workspace

    init_workspace(workspace)
    token = secrets.token_hex(16)
    folders = {
        name: str(home / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    for folder in folders.values():
        Path(folder).mkdir()
    settings = home / "settings"
    overrides = settings / "@jupyterlab"
    for plugin, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }.items():
        path = overrides / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True",
        f"--LabApp.user_settings_dir={settings}", f"--LabApp.workspaces_dir={home / 'workspaces'}",
        f"--ServerApp.root_dir={workspace}",
    ]  # fmt: skip
    server = subprocess.Popen(
        command,
        cwd=workspace,
        env={**os.environ, **folders},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        runtime = Path(folders["JUPYTER_RUNTIME_DIR"])
        until = time.monotonic() + START_LIMIT
        while not (found := list(runtime.glob("jpserver-*.json"))):
            assert server.poll() is None, "JupyterLab ended before it answered"
            assert time.monotonic() < until, "JupyterLab did not start in time"
            time.sleep(0.2)
        port = json.loads(found[0].read_text(encoding="utf-8"))["port"]
        yield f"http://127.0.0.1:{port}", token
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(lab, tmp_path):
    from playwright.sync_api import sync_playwright

    address, token = lab
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 1600})
        notebook = "notebooks/site/2_turn_the_curve.ipynb"
        page.goto(f"{address}/lab/workspaces/test/tree/{notebook}?token={token}&reset")
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context", timeout=60_000)
        wait_for(lambda: page.evaluate(SESSION_IS_READY), START_LIMIT)
        page.evaluate(RUN_ALL)

        def finished():
            state = page.evaluate(CELLS)
            return state["errors"] or (state["idle"] and all(state["counts"]))

        wait_for(finished, RUN_LIMIT)
        state = page.evaluate(CELLS)
        page.screenshot(path=tmp_path / "jupyterlab.png")
        browser.close()
    assert state["errors"] == []
    assert state["pictures"] >= 1


def wait_for(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "JupyterLab took too long"
        time.sleep(0.3)
