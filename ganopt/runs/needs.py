"""What a run needs to go on: its pictures, and the model that it imitates; also those of other runs."""

from pathlib import Path

from ganopt.data.synthetic import PREFIX
from ganopt.data.walk import files_under
from ganopt.errors import UserError
from ganopt.models import hub, zoo
from ganopt.training.methods import method_of
from ganopt.training.recipe_text import models
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import STATE, read_recipe


def check_needs(recipe: Recipe) -> None:
    """Raise UserError if the pictures of a run, or the model that it imitates, are gone."""
    if recipe.data.startswith(PREFIX):
        zoo.locate(recipe.data.removeprefix(PREFIX))
    elif recipe.needs_pictures and not recipe.data.startswith(hub.PREFIX):
        next(files_under(Path(recipe.data), recipe.classes), None)
    if method_of(recipe).distance:
        zoo.locate(recipe.origin)


def needs(user: Path, folder: Path) -> bool:
    """Whether the run in the folder `user` needs the model or the pictures of the one in `folder` to be resumed."""
    try:
        recipe = read_recipe(user)
    except UserError:  # it cannot be resumed anyway
        return False
    named = (recipe.data, *models(recipe, saved=(user / STATE).exists()).values())
    names = [name.removeprefix(PREFIX) for name in named]
    paths = [Path(name).absolute() for name in filter(None, names)]
    return f"{zoo.RUN}{folder.name}" in names or any(folder.absolute() in (path, *path.parents) for path in paths)
