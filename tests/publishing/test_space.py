"""The files of a Space, in a folder of their own and started as a Space starts them, serve the page."""

import os

import pytest

from ganopt.publishing import project
from tests.bench.space import ask, lay_out, refused, started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of a Space in `app`."""
    folder = tmp_path_factory.mktemp("space")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GANOPT_CHECKPOINTS", raising=False)
        files = project.space("cat/page").files
    lay_out({name: content.read_bytes() for name, content in files.items()}, folder / "app")
    (folder / "home").mkdir(mode=0o500)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """The address of the page."""
    with started(folder / "app", folder / "home", OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "2")) as (found, _):
        yield found


def test_it_draws_with_its_own_weights(address, folder):
    pictures, facts, archive = ask(address, "generate", model="cats-student", seeds="0-3")
    assert len(pictures) == 4 and "0.5 M parameters" in facts and archive


def test_its_visitors_are_public(address):
    assert "at most 5 min" in str(refused(address, "train", minutes=60))
    assert "public page cannot read folders" in str(refused(address, "train", minutes=1, data="/home"))


def test_none_of_its_files_is_in_a_traceback(address, folder):
    ask(address, "generate", seeds="0")  # Gradio itself misses the package `spaces`, which a Space has
    assert f'File "{folder / "app"}' not in (folder / "page.log").read_text()
