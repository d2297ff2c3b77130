"""What the rest stands on: the version of code."""

import pytest

from ganopt.files import code_version


def test_the_version_of_code_is_that_of_the_modules_it_names_and_of_no_others(other_code):
    def versions() -> list[str]:
        return [code_version(*parts) for parts in (["data/decode.py"], ["data"], ["models", "data/decode.py"])]

    first = versions()
    other_code("viz/charts.py")
    assert versions() == first and len(set(first)) == 3
    other_code("data/decode.py")
    assert all(now != before for now, before in zip(versions(), first, strict=True))
    before = code_version("models")
    other_code("models/new.py")
    assert code_version("models") != before


def test_a_module_that_is_not_there_has_none():
    with pytest.raises(FileNotFoundError):
        code_version("data/nothing.py")
