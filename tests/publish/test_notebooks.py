import json

import pytest
from by_hand import case_study, code, curve, error, markdown, shown, stream, write_notebook

from evalkit.charts.display import prose
from evalkit.errors import PublishError
from evalkit.publish.notebooks import read_page

TITLE = markdown("# A title\n")


def page_of(tmp_path, *cells):
    return read_page(
        write_notebook(tmp_path / "alder-park" / "notebooks" / "6_case_study.ipynb", cells), name="p"
    )


def test_code_never_reaches_the_page(tmp_path):
    page = page_of(tmp_path, *case_study())
    assert "secret_call" not in page.body
    assert "import evalkit" not in page.body


def test_messages_and_plain_text_stay_behind_unless_the_cell_is_tagged(tmp_path):
    plain = {"output_type": "execute_result", "data": {"text/plain": "<Axes: >"}, "metadata": {}}
    page = page_of(tmp_path, TITLE, code(stream("warned", "stderr"), stream("printed"), plain))
    assert "warned" not in page.body
    assert "printed" not in page.body
    assert "Axes" not in page.body
    kept = page_of(tmp_path, TITLE, code(stream("warned", "stderr"), stream("printed"), tags=["keep-text"]))
    assert "```\nprinted\n```" in kept.body
    assert "warned" not in kept.body


def test_the_first_heading_becomes_the_title_and_leaves_the_body(tmp_path):
    page = page_of(tmp_path, markdown("# What *turned*\n\nLead.\n"), markdown("## Next\n"))
    assert page.title == "What turned"
    assert page.body.startswith("Lead.")
    assert "# What" not in page.body


def test_a_picture_becomes_a_file_and_a_figure_with_its_words_escaped(tmp_path):
    picture = curve(alt='Rose from 62% to 78%, "far" above <forecast>')
    page = page_of(tmp_path, TITLE, code(shown(picture)))
    assert list(page.pictures.values()) == [picture.png]
    assert 'alt="Rose from 62% to 78%, &quot;far&quot; above &lt;forecast&gt;"' in page.body


def test_backticks_in_an_output_do_not_end_its_block(tmp_path):
    body = page_of(tmp_path, TITLE, code(shown(prose("```\n# not a heading")))).body
    assert body.startswith("````{=html}")
    assert body.rstrip().endswith("````")


def test_an_output_that_no_page_can_show_is_named(tmp_path):
    strange = {
        "output_type": "display_data",
        "data": {"application/vnd.plotly": {}, "text/plain": "x"},
        "metadata": {},
    }
    page = page_of(tmp_path, TITLE, code(strange))
    assert page.dropped == (
        "alder-park/6_case_study.ipynb: output 2-1 is application/vnd.plotly, which a page does not show",
    )


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([TITLE, code(error("KeyError"))], "cell 2 ended with KeyError"),
        ([TITLE, code(count=None)], "cell 2 was never run"),
        ([markdown("no heading")], "has no title"),
        ([TITLE, code(shown(curve(alt="")))], "has no alt text"),
    ],
)
def test_a_notebook_that_is_not_whole_is_refused_in_one_sentence(tmp_path, cells, sentence):
    with pytest.raises(PublishError, match=sentence) as refusal:
        page_of(tmp_path, *cells)
    assert len(refusal.value.problems) == 1
    assert refusal.value.problems[0].startswith("alder-park/6_case_study.ipynb: ")


def test_nan_in_the_json_is_refused(tmp_path):
    cells = [TITLE, {**code(), "metadata": {"seconds": float("nan")}}]
    with pytest.raises(PublishError, match="holds NaN as a number"):
        page_of(tmp_path, *cells)


@pytest.mark.parametrize("text", ["", "not json", json.dumps([1]), json.dumps({"nbformat": 4})])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "alder-park" / "notebooks" / "6_case_study.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PublishError, match="is not a Jupyter notebook"):
        read_page(path, name="p")


def test_an_absent_notebook_is_refused_with_the_mend(tmp_path):
    with pytest.raises(PublishError, match="run `evalkit run` first"):
        read_page(tmp_path / "alder-park" / "notebooks" / "6_case_study.ipynb", name="p")
