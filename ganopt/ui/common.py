"""What the tabs share: models to choose from, galleries, one-sentence errors, a place for files to download."""

import contextlib
import functools
import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec

import gradio as gr
from gradio.utils import get_upload_folder
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.sampling import save_png, to_image

LINKS = {  # what the page's address may say of each tab
    "generate": ("model", "seeds", "scale"),
    "compare": ("compare", "compare_seeds"),
    "train": ("train",),
    "fid": ("fid",),
}

ERROR = "That did not work"  # the title of whatever went wrong
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # events of the page alone
Event = gr.events.Dependency

Parameters = ParamSpec("Parameters")


def show_errors(handler: Callable[Parameters, Any]) -> Callable[Parameters, Any]:
    """A handler, a generator perhaps, whose UserErrors are shown in the page as their one sentence."""

    @functools.wraps(handler)
    def said(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Any:
        with _said():
            return handler(*arguments, **keywords)

    @functools.wraps(handler)
    def said_later(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Iterator:
        with _said():
            yield from handler(*arguments, **keywords)

    return said_later if inspect.isgeneratorfunction(handler) else said


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), title=ERROR, print_exception=False) from error


class Scratch:
    """A folder of files on their way to the page, which keeps copies of its own: the oldest make room."""

    def __init__(self, folder: Path, keep: int = 32):
        self.folder, self.keep, self.numbers = folder, keep, itertools.count()

    def path(self, name: str) -> Path:
        """A new path that ends in `name`, which must be no user's text."""
        number = next(self.numbers)
        for old in self.folder.glob(f"{number - self.keep}-*"):
            old.unlink(missing_ok=True)
        return self.folder / f"{number}-{name}"


def keep_in_url(tab: str) -> str:
    """JavaScript that writes its arguments into the page's address as what `LINKS` has for a tab, and nothing else."""
    known = [name for names in LINKS.values() for name in names]
    return f"""(...values) => {{
  const url = new URL(window.location);
  for (const name of {json.dumps(known)}) url.searchParams.delete(name);
  {json.dumps(LINKS[tab])}.forEach((name, index) => url.searchParams.set(name, values[index]));
  window.history.replaceState(null, "", url);
}}"""


def model_choices() -> list[tuple[str, str]]:
    """The models of the catalogue, then those of runs, as (text, name). Raises UserError where there is none."""
    entries = [*zoo.catalogue().values()]
    if not entries:
        raise UserError(f"{zoo.checkpoints()} holds no model; restore it from the project's repository.")
    for name in zoo.runs():
        with contextlib.suppress(UserError, OSError):  # deleted by now, or damaged
            entries.append(zoo.entry(name))
    return [(f"{entry.title} ({entry.bytes / 1e6:.1f} MB)", entry.name) for entry in entries]


def model_names() -> list[str]:
    """The names of `model_choices`."""
    return [name for _, name in model_choices()]


def tabs_of(tab: gr.Tab) -> gr.Tabs:
    """The tabs that a tab is one of."""
    assert isinstance(tab.parent, gr.Tabs)
    return tab.parent


def renew_models(tab: gr.Tab, models: Any, offered: Callable[[], list]) -> None:
    """Let a gr.Dropdown or gr.CheckboxGroup of models have those of new runs, too, whenever its tab is opened."""
    kind = type(models)
    tab.select(lambda: kind(choices=offered()), None, models, **QUIET)


def check_known(seeds: list[int]) -> None:
    """Raise UserError where the page has forgotten what a visitor's gallery shows, as it does after a long time."""
    if not seeds:
        raise UserError("The page no longer knows these faces; draw them again.")


def optional_number(text: str | None, name: str) -> int | float | None:
    """What a field for a number says; None where it is empty. Raises UserError for what is no number."""
    text = (text or "").strip()
    if not text:
        return None
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise UserError(
            f"'{text[:40]}' is no number; write one for {name.replace('_', ' ')}, or leave it empty."
        ) from None


def optional_text(number: float | None) -> str:
    """What `optional_number` reads as this number."""
    return "" if number is None else f"{number:g}"


def examples(named: dict[str, Any]) -> dict[gr.Button, Any]:
    """Buttons that fill a form in, above it: what each stands for, by the button."""
    with gr.Column(elem_classes="examples"):
        gr.Markdown("Begin with one of these, or choose for yourself:")
        return {gr.Button(text, size="sm"): value for text, value in named.items()}


def face_gallery(label: str, name: str, columns: int, enlarge: bool = False) -> gr.Gallery:
    """An empty gallery of faces that can be clicked, to be enlarged or for what listens. `name` is its element id."""
    return gr.Gallery(
        label=label,
        show_label=False,
        columns=columns,
        height="auto",
        format="png",
        allow_preview=enlarge,
        object_fit="contain",
        buttons=[],
        elem_id=name,
        elem_classes="faces",
    )


def stored(picture: Tensor) -> str:
    """A picture uint8 (3, H, W) as a PNG file where Gradio keeps those that it serves, one for all who see it.

    Gradio would write it anew for each of them, while another is perhaps reading it.
    """
    path = Path(get_upload_folder(), hashlib.sha256(picture.contiguous().numpy().data).hexdigest(), "image.png")
    if not path.exists():
        save_png(to_image(picture), path)
    return str(path)


def captioned(pictures: Tensor, captions: list[str]) -> list[tuple[str, str]]:
    """Pictures uint8 (N, 3, H, W) as a gallery shows them, with their captions."""
    return [(stored(picture), caption) for picture, caption in zip(pictures, captions, strict=True)]
