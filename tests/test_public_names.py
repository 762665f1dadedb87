"""Everything public is importable from evalkit, and no module bears a public function's name."""

from pathlib import Path

import pytest

import evalkit

PACKAGE = Path(evalkit.__file__).parent


@pytest.mark.parametrize("name", evalkit.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    public = getattr(evalkit, name)
    assert name == "__version__" or public.__doc__


def test_no_module_bears_the_name_of_a_public_function():
    modules = {path.stem for path in PACKAGE.rglob("*.py")}
    functions = {name for name in evalkit.__all__ if not name.startswith("_")}
    assert not modules & functions


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'gradution_rate'"):
        _ = evalkit.gradution_rate


def test_the_readme_lists_every_public_name():
    listed = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in evalkit.__all__ if name != "__version__" and f"`{name}`" not in listed] == []
