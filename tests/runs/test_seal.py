"""What others are given holds no hash by which a guess at confidential input can be checked."""

import hashlib
import hmac
import os
import shutil
import stat
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.runs.seal import seal
from evalkit.simulate import simulate_network
from evalkit.views import own_data_hash

HOME = Path(__file__).resolve().parents[2]
PREFIX = 12  # characters of a hash that are enough to check a guess by


def test_a_seal_is_the_hmac_of_the_hash_under_a_key_of_32_bytes(tmp_path):
    sealed = seal(tmp_path, "ab" * 32)
    key = (tmp_path / "outputs" / ".key").read_bytes()
    assert len(key) == 32
    assert sealed == hmac.new(key, b"ab" * 32, hashlib.sha256).hexdigest()
    assert seal(tmp_path, "") == ""


def test_a_key_is_made_once_for_a_workspace_whoever_asks_at_once(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: seal(tmp_path, "ab"), range(64)))) == 1
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == [".key"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of Unix")
def test_the_key_is_for_its_owner_only(tmp_path):
    seal(tmp_path, "ab")
    assert stat.S_IMODE((tmp_path / "outputs" / ".key").stat().st_mode) == 0o600


def test_two_workspaces_seal_differently_and_a_lost_key_is_not_found_again(tmp_path):
    first = seal(tmp_path / "one", "ab")
    assert seal(tmp_path / "two", "ab") != first
    (tmp_path / "one" / "outputs" / ".key").unlink()
    assert seal(tmp_path / "one", "ab") != first


def test_an_empty_key_which_everybody_knows_is_never_used(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".key").write_bytes(b"")
    assert seal(tmp_path, "ab") != hmac.new(b"", b"ab", hashlib.sha256).hexdigest()


def test_a_disk_without_hard_links_keeps_a_key_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    assert seal(tmp_path, "ab") == seal(tmp_path, "ab")
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == [".key"]


@pytest.fixture(name="confidential", scope="module")
def _confidential(tmp_path_factory):
    """One site of the demonstration, as if its rows came from a school; run and published for the public."""
    root = tmp_path_factory.mktemp("home") / "workspace"
    for part in ("parameters/demo", "data_dictionary", "notebooks"):
        shutil.copytree(HOME / part, root / part)
    declared = root / "parameters" / "demo"
    network = (declared / "network.yml").read_text(encoding="utf-8")
    sources = "sources:\n  - {source_id: school, kind: tidy, path: school.csv}\n"
    (declared / "network.yml").write_text(network[: network.index("sources:")] + sources, encoding="utf-8")
    for path in (declared / "sites").glob("*.yml"):
        if path.stem != "alder-park":
            path.unlink()
    simulated = simulate_network()
    (root / "data").mkdir()
    rows = simulated.indicators[simulated.indicators["site_id"].str.startswith("alder-park")]
    rows.to_csv(root / "data" / "school.csv", index=False)
    simulated.evidence.to_csv(root / "data" / "evidence.csv", index=False)
    data = str(root / "data")
    assert main(["run", "--network", "demo", "--data", data, "--workspace", str(root)]) == 0
    return root


def _texts(folder):
    """Yield every file below a folder, and every part of those that are packed, as bytes."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield from ((f"{path.name}: {name}", packed.read(name)) for name in packed.namelist())


@pytest.mark.slow
def test_no_file_for_the_public_holds_the_hash_of_confidential_input(confidential):
    secret = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("data", "parameters")
        for path in (confidential / part).rglob("*")
        if path.is_file()
    }
    secret["own rows"] = own_data_hash(
        network="demo", site_id="alder-park", data="data", workspace=str(confidential)
    )
    assert len(secret) == 5
    found = [
        (name, of)
        for name, content in _texts(confidential / "outputs" / "demo" / "public")
        for of, digest in secret.items()
        if digest[:PREFIX].encode() in content
    ]
    assert found == []


@pytest.mark.slow
def test_the_case_study_names_what_it_rests_on_and_says_who_keeps_the_hash(confidential):
    page = (confidential / "outputs/demo/public/site/alder-park.html").read_text(encoding="utf-8")
    assert "data/school.csv" in page
    assert "The evaluators keep the hash of files that hold small numbers" in page
    dictionary = next((confidential / "data_dictionary").glob("*.yml"))
    assert hashlib.sha256(dictionary.read_bytes()).hexdigest()[:PREFIX] in page


@pytest.mark.slow
def test_a_sealed_record_stands_until_the_data_change(confidential, capsys):
    data = str(confidential / "data")
    arguments = ["status", "--network", "demo", "--data", data, "--workspace", str(confidential)]
    main(arguments)
    assert "stale" not in capsys.readouterr().out
    path = confidential / "data" / "school.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    main(arguments)
    assert "data/school.csv changed" in capsys.readouterr().out
