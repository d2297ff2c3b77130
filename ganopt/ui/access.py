"""Private and public use of the page, and the limits for public visitors.

A request is private if it has the page's token, as a cookie from the private link or as a header, or by the setting
$GANOPT_PRIVATE. All other requests are public, wherever they come from.
"""

import hmac
import math

import fastapi
import gradio as gr

from ganopt import environment
from ganopt.data import synthetic
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import hub, zoo
from ganopt.models.networks import parameters_of
from ganopt.runs.queue import check_limit
from ganopt.training.recipes import Recipe
from ganopt.ui.folders import without_folders

PUBLIC_MINUTES = 5
PUBLIC_BATCH, PUBLIC_PARAMETERS, PUBLIC_RUNS, PUBLIC_QUEUE, PUBLIC_FIDS = 32, 7_000_000, 20, 4, 8
TOKEN_HEADER = "X-Ganopt-Token"


def is_public(request: gr.Request) -> bool:
    """Whether a request is public. Raises UserError if $GANOPT_PRIVATE is neither 1 nor 0."""
    private = environment.is_private()
    if private is None:
        private = request.request is not None and has_token(request.request)
    return not private


def has_token(request: fastapi.Request) -> bool:
    """Whether a request has the token of its page."""
    demo = request.app.get_blocks()
    given = request.headers.get(TOKEN_HEADER) or request.cookies.get(cookie_name(demo), "")
    token = getattr(demo, "token", "")  # "" before `launch`, and for a page that was launched in another way
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def cookie_name(demo: gr.Blocks) -> str:
    """The name of the cookie with the token. It contains the port, as all ports of a host share their cookies."""
    return f"ganopt-{demo.server_port}"


def visible(text: str, request: gr.Request) -> str:
    """A text of the server as the sender of a request may see it: for public visitors, without its folders."""
    return without_folders(text) if is_public(request) else text


def check_private(request: gr.Request, action: str, instead: str = "run ganopt on your own machine") -> None:
    """Raise UserError if the request is public."""
    if is_public(request):
        raise refusal(action, instead)


def refusal(action: str, instead: str) -> UserError:
    """The error for an action that is not allowed on a public page."""
    return UserError(f"This public page cannot {action}; {instead}.")


def most_minutes(public: bool) -> float | None:
    """The limit on the minutes of a run, $GANOPT_TRAIN_MINUTES: 0 switches training off, None is no limit.

    Raises UserError if the setting is not a number.
    """
    most = environment.train_minutes()
    if most is None:
        return PUBLIC_MINUTES if public else None
    return most if math.isfinite(most) else None


def limits(public: bool) -> str:
    """The limits on runs, as text for the page; "" if there are none."""
    most = most_minutes(public)
    if most == 0:
        return "Training is switched off on this page; run ganopt on your own machine to train."
    if not public:
        return "" if most is None else f"Runs may take up to {most:.15g} min."
    longest = "any time" if most is None else f"up to {most:.15g} min"
    own = (
        "If it is yours, open the private link that the program printed at its start."
        if environment.is_private() is None
        else ""
    )
    return (
        f"This page is public. Runs may take {longest}, with batches of up to {PUBLIC_BATCH} pictures and generators "
        f"of up to {PUBLIC_PARAMETERS / 1e6:g} M parameters. All visitors can see, stop and resume them, and only the "
        f"last {PUBLIC_RUNS} are kept. There are no limits on your own machine. {own}"
    ).strip()


def check_minutes(minutes: float | None, public: bool) -> float:
    """Return the minutes. Raises UserError if they are missing or over the limit."""
    most = most_minutes(public)
    if most == 0:
        raise UserError(limits(public))
    if not minutes or minutes <= 0:
        raise UserError("The minutes of the run are missing; enter a number above 0.")
    if most is not None and minutes > most:
        raise UserError(f"{minutes:.15g} min are too long for a run on this page; enter at most {most:.15g} min.")
    return minutes


def check_data(data: str, public: bool) -> None:
    """Raise UserError if a public page is asked for the pictures of a folder or of a dataset."""
    if public and data and not data.startswith(synthetic.PREFIX):
        what = "datasets" if data.startswith(hub.PREFIX) else "folders on the server"
        raise refusal(f"read {what}", "upload pictures instead")


def check_limits(recipe: Recipe, public: bool) -> None:
    """Raise UserError if a recipe exceeds the limits of a public page, or its queue is full."""
    if not public:
        return
    check_limit(runs_folder(), PUBLIC_QUEUE)  # to fail early; it is checked again when the run is launched
    if recipe.live_fids > PUBLIC_FIDS:
        raise UserError(f"A run may measure fid100 at most {PUBLIC_FIDS} times on this page; enter a smaller number.")
    if recipe.batch > PUBLIC_BATCH:
        raise UserError(f"Batches may have at most {PUBLIC_BATCH} pictures on this page; enter a smaller number.")
    generator = recipe.generator or zoo.entry(recipe.origin).architecture
    if parameters_of(generator) > PUBLIC_PARAMETERS:
        raise UserError(
            f"Generators may have at most {PUBLIC_PARAMETERS / 1e6:g} M parameters on this page; choose a smaller one."
        )
