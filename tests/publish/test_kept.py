"""A page that has not changed is copied; one that has, or was tampered with, is rendered."""

from dataclasses import replace

import pytest

from evalkit.publish.kept import INDEX, KeptPages
from evalkit.publish.pages import Page, Surround

PAGE = Page(name="alder-park", title="Alder Park", body="As many as last year.")
SURROUND = Surround(network="Demo", audience="public", synthetic=True, nav=())


class Counting:
    """Writes the body, and counts how often."""

    name = "counting"
    rendered = 0

    def render(self, page, surround, *, to, folder):
        self.rendered += 1
        path = folder / f"{page.name}.{to}"
        path.write_text(f"{page.body} {surround.network}")
        return path, ["mind this"]


@pytest.fixture(name="twice")
def _twice(tmp_path):
    """Publish into `site`, as `publish_network` does, with whatever is changed in between."""

    def publish(page=PAGE, surround=SURROUND):
        program = Counting()
        kept = KeptPages(program, outputs=tmp_path, site=tmp_path / "site")
        building = tmp_path / "building"
        building.mkdir()
        path, warnings = kept.render(page, surround, to="html", folder=building)
        assert path.read_text() == f"{page.body} {surround.network}"
        assert warnings == ["mind this"]
        if (tmp_path / "site").exists():
            (tmp_path / "site" / path.name).unlink()
            (tmp_path / "site").rmdir()
        building.rename(tmp_path / "site")
        kept.remember()
        return program.rendered

    assert publish() == 1
    return publish


def test_an_unchanged_page_is_not_rendered_again(twice):
    assert twice() == 0
    assert twice() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"page": replace(PAGE, body="More than last year.")},
        {"page": replace(PAGE, pictures={"a.png": b"x"})},
        {"surround": replace(SURROUND, network="Other")},
    ],
)
def test_a_changed_page_or_frame_is_rendered(twice, changed):
    assert twice(**changed) == 1


def test_a_page_that_somebody_changed_in_the_website_is_rendered(twice, tmp_path):
    (tmp_path / "site" / "alder-park.html").write_text("something else")
    assert twice() == 1


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_torn_index_only_costs_time(twice, tmp_path, content):
    (tmp_path / INDEX).write_text(content)
    assert twice() == 1
