"""What a run is: a summary of its recipe, and the form for another run with the same settings."""

import dataclasses
import html
from pathlib import Path
from typing import Any

import gradio as gr

from ganopt.data import image_folder, synthetic
from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import hub, zoo
from ganopt.models.networks import parse_architecture
from ganopt.runs.manager import PICTURES
from ganopt.runs.status import folder_of
from ganopt.training.methods import method_of
from ganopt.training.recipes import Recipe
from ganopt.training.recipes.critics import OPTIONS
from ganopt.training.recipes.settings import settings_of
from ganopt.training.run_folder import read_recipe
from ganopt.ui import requests
from ganopt.ui.common import model_choices, optional_text, title_of
from ganopt.ui.requests import FOLDER, NETWORKS, NONE, UPLOAD, RunRequest, form_settings

# settings that depend on the machine or the page, or that say how long and where
OWN = {"data", "classes", "steps", "images", "minutes", "device", "precision", "channels_last"}
OWN |= {"preview_every", "save_every", "snapshots", "flip"}


def summary(recipe: Recipe, folder: Path) -> str:
    """Method, pictures, networks and budget of a run as HTML."""
    origin = f", from {title_of(recipe.origin)}" if recipe.origin else ""
    critics = " and ".join(critic.architecture for critic in recipe.critics) if recipe.needs_pictures else "no critic"
    facts = {
        "Method": method_of(recipe).title.partition(":")[0] + origin,
        "Pictures": _pictures(recipe, folder),
        "Networks": f"{_generator(recipe)}, {critics}",
        "Budget": f"{_budget(recipe)}, batches of {recipe.batch}, seed {recipe.seed}",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in facts.items())
    return f'<dl class="facts">{rows}</dl>'


def request_of(recipe: Recipe) -> tuple[RunRequest, list[str]]:
    """The request for a run with the same settings, and the names of those that it cannot repeat.

    `more` has only the settings that differ from what the page would choose.
    """
    asked = RunRequest(
        recipe.method,
        recipe.minutes or 1,
        recipe.data,
        recipe.origin,
        _network(recipe),
        parse_architecture(_generator(recipe)).side,
        {},
        recipe.critics[1].kind if len(recipe.critics) > 1 else "",
    )
    effective = method_of(recipe).settings.keys() - recipe.without_effect().keys()
    known = {name: _value(recipe, name) for name in form_settings() if name in effective}
    try:
        usual = _made(asked)
    except UserError:  # for example, the model that it started from is gone
        return dataclasses.replace(asked, more=known), []
    more = {name: value for name, value in known.items() if value != _value(usual, name)}
    asked = dataclasses.replace(asked, more=more)
    here, again = _all(method_of(recipe).resolve(recipe)), _all(_made(asked))
    return asked, [name for name, value in here.items() if name in effective and value != again[name]]


def settings_again(name: str, public: bool) -> list:
    """The values of the form, without files and name, for the settings of a run, and a message as HTML.

    Raises UserError if there is no such run, or it is damaged.
    """
    folder = folder_of(runs_folder(), name)
    recipe = read_recipe(folder)
    request, lost = request_of(recipe)
    picked = _choice(recipe, folder, public)
    networks = list(dict.fromkeys([request.network, *NETWORKS]))
    said = f"The form has the settings of '{html.escape(name)}'; press Start for another run."
    if lost:
        said += f" Only on the command line: {', '.join(lost)}."
    if picked == UPLOAD:
        said += " Upload the pictures again."
    return [
        request.method,
        gr.Dropdown(model_choices(), value=request.origin) if request.origin else gr.skip(),
        picked,
        recipe.data if picked == FOLDER else "",
        gr.Dropdown(networks, value=request.network),
        request.side,
        request.minutes if recipe.minutes else gr.skip(),
        request.second_critic,
        *(optional_text(request.more.get(name)) for name in form_settings()),
        said,
    ]


def _made(asked: RunRequest) -> Recipe:
    """The recipe for a request, as a run saves it: with the critic of its source or teacher."""
    made = requests.make_recipe(asked, public=False)
    return method_of(made).resolve(made)


def _network(recipe: Recipe) -> str:
    """The network in the form, which has its own field for the side.

    Where the generator is that of the source, the form still decides on the width of the critic.
    """
    if not recipe.generator_from_origin:
        return str(dataclasses.replace(parse_architecture(recipe.generator), side=128))
    divisor = parse_architecture(recipe.critics[0].architecture, "critic").divisor
    return f"big/{2 * divisor}"


def _choice(recipe: Recipe, folder: Path, public: bool) -> str:
    """The choice in the form for the pictures of a run: those drawn by a model, an upload, a folder, or none."""
    if not recipe.data:
        return NONE
    if recipe.data.startswith(PREFIX):
        return recipe.data
    return UPLOAD if public or (folder / PICTURES).exists() else FOLDER


def _generator(recipe: Recipe) -> str:
    return recipe.generator or zoo.entry(recipe.origin).architecture


def _pictures(recipe: Recipe, folder: Path) -> str:
    if not recipe.data:
        return "none, only the teacher's faces"
    if recipe.data.startswith(PREFIX):
        return f"{len(synthetic.SEEDS):,} faces drawn by {title_of(recipe.data.removeprefix(PREFIX))}"
    if recipe.data.startswith(hub.PREFIX):
        return f"the dataset {recipe.data.removeprefix(hub.PREFIX)} of the Hub"
    if (folder / PICTURES).exists():
        return f"{len(image_folder.find(folder / PICTURES)):,} uploaded pictures"
    return f"the folder {Path(recipe.data).name}"


def _budget(recipe: Recipe) -> str:
    parts = {"steps": recipe.steps, "pictures": recipe.images, "minutes": recipe.minutes}
    return " or ".join(f"{value:,.15g} {name}" for name, value in parts.items() if value)


def _all(recipe: Recipe) -> dict[str, Any]:
    """All settings by their names for users, without `OWN`; `critic` stands for the critics' networks and weights."""
    values = {name: [getattr(critic, field.name) for critic in recipe.critics] for name, field in OPTIONS.items()}
    values["critic"] = [(critic.architecture, critic.weight) for critic in recipe.critics]
    ours = {name: getattr(recipe, name) for name in settings_of(type(recipe)) if name not in OWN}
    if recipe.generator_from_origin:
        ours.pop("generator", None)
    return {name: [*values.get(name, []), ours.get(name)] for name in {**ours, **values}}


def _value(recipe: Recipe, name: str) -> Any:
    """A setting by its name for users; that of critics is the first one's."""
    return getattr(recipe.critics[0], OPTIONS[name].name) if name in OPTIONS else getattr(recipe, name)
