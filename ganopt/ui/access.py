"""Whether a request comes from the page's own machine, and what visitors of a public page may ask for.

Private is what is proven, or asked for by $GANOPT_PRIVATE; every other request is a public visitor's.
"""

import contextlib
import ipaddress
import math
import os
from urllib.parse import urlsplit

import gradio as gr

from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.models.networks import parameters_of
from ganopt.runs.queue import check_room
from ganopt.training.methods import Transfer
from ganopt.training.recipes import Recipe

PUBLIC_MINUTES = 5
PUBLIC_BATCH, PUBLIC_PARAMETERS, PUBLIC_RUNS, PUBLIC_QUEUE, PUBLIC_FIDS = 32, 5_000_000, 20, 4, 8
# what proxies and tunnels add to a request, or how that begins
FORWARDED = (
    *("forwarded", "via", "x-forwarded", "x-real-ip", "x-original-", "x-client-ip", "x-cluster-client-ip"),
    *("true-client-ip", "cf-", "cdn-loop", "x-envoy-", "x-proxy", "x-scheme", "x-arr-", "x-amzn-", "fly-"),
)


def is_public(request: gr.Request) -> bool:
    """Whether a request may come from anywhere: its page is served or shared beyond this machine, or it was passed on.

    Raises UserError for a setting that is neither 1 nor 0.
    """
    chosen = _setting()
    return not _is_local(request) if chosen is None else not chosen


def check_private(request: gr.Request, act: str, instead: str = "do so on a machine of your own") -> None:
    """Raise UserError for a visitor of a public page, who cannot act so."""
    if is_public(request):
        raise refusal(act, instead)


def refusal(act: str, instead: str) -> UserError:
    """The sentence for what visitors of a public page cannot do."""
    return UserError(f"This public page cannot {act}; {instead}.")


def most_minutes(public: bool) -> float | None:
    """The longest run that the page allows: $GANOPT_TRAIN_MINUTES, 0 for none at all; None where there is no limit.

    Raises UserError for a setting that is no number.
    """
    text = os.environ.get("GANOPT_TRAIN_MINUTES") or (str(PUBLIC_MINUTES) if public else "inf")
    with contextlib.suppress(ValueError):
        if (most := float(text)) >= 0:
            return most if math.isfinite(most) else None
    raise UserError(f"GANOPT_TRAIN_MINUTES is '{text[:40]}'; set it to a number of minutes.")


def limits(public: bool) -> str:
    """What the page allows, in a sentence; "" where that is everything."""
    most = most_minutes(public)
    if most == 0:
        return "Training is switched off on this page; run it on a machine of your own to train."
    if not public:
        return "" if most is None else f"A run may take up to {most:g} min here."
    longest = "as long as you like" if most is None else f"up to {most:g} min"
    return (
        f"This page is public: a run may take {longest}, batches of {PUBLIC_BATCH} and a generator of "
        f"{PUBLIC_PARAMETERS / 1e6:g} M parameters, anybody sees it, stops it or goes on with it, and the last "
        f"{PUBLIC_RUNS} are kept. On a machine of your own there are no limits."
    )


def check_minutes(minutes: float | None, public: bool) -> float:
    """The minutes themselves. Raises UserError for a time that a run may not take, or none at all."""
    most = most_minutes(public)
    if most == 0:
        raise UserError(limits(public))
    if not minutes or minutes <= 0:
        raise UserError("Give the run some minutes.")
    if most is not None and minutes > most:
        raise UserError(f"A run may take up to {most:g} min on this page; ask for no more.")
    return minutes


def check_limits(made: Recipe, public: bool) -> None:
    """Raise UserError where a recipe asks for more than a public page gives, or there is no room in the queue."""
    if not public:
        return
    check_room(runs_folder(), PUBLIC_QUEUE)  # early: it is looked at again when a run is launched
    if made.live_fids > PUBLIC_FIDS:
        raise UserError(f"A run may measure fid100 {PUBLIC_FIDS} times on this page; ask for no more.")
    if made.batch > PUBLIC_BATCH:
        raise UserError(f"Batches may hold {PUBLIC_BATCH} pictures on this page; ask for no more.")
    name = zoo.entry(made.source).architecture if isinstance(made, Transfer) else made.generator
    if parameters_of(name) > PUBLIC_PARAMETERS:
        raise UserError(f"A generator may have {PUBLIC_PARAMETERS / 1e6:g} M parameters on this page; take a thin one.")


def _setting() -> bool | None:
    """What $GANOPT_PRIVATE says: 1 for private, 0 for public; None where it says nothing."""
    text = os.environ.get("GANOPT_PRIVATE", "")
    if text not in ("", "0", "1"):
        raise UserError(f"GANOPT_PRIVATE is '{text[:40]}'; set it to 1 for a private page, to 0 for a public one.")
    return None if text == "" else text == "1"


def _is_local(request: gr.Request) -> bool:
    """Whether a request was made on this machine, to a page that is served on it alone, and passed on by nobody."""
    sent = request.request
    if sent is None or "SPACE_ID" in os.environ:
        return False
    demo, headers, client = sent.app.get_blocks(), sent.headers, sent.client
    served = demo.is_running and _is_loopback(demo.server_name)
    passed_on = demo.share or demo.share_url or demo.is_colab or demo.root_path or demo.mcp_server_obj
    # a proxy may add nothing, but then it speaks an older HTTP than browsers do, or leaves them their own page's name
    whole = sent.scope.get("http_version") != "1.0" and not any(name.startswith(FORWARDED) for name in headers)
    names = [headers.get("host"), *filter(None, (headers.get("origin"), headers.get("referer")))]
    here = client is not None and _is_loopback(client.host) and all(map(_is_loopback, map(_host, names)))
    return bool(served and not passed_on and whole and here)


def _host(address: str | None) -> str:
    """The host of a Host header, or of an address; "" where there is none."""
    with contextlib.suppress(ValueError):
        address = address or ""
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    return ""


def _is_loopback(host: str | None) -> bool:
    """Whether a name or number is this machine's alone."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False
