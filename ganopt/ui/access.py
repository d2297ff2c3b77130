"""Private and public use of the page, and the limits for public visitors.

A request is private if it provably comes from the page's own machine, or by the setting $GANOPT_PRIVATE. All other
requests are public.
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
from ganopt.runs.queue import check_limit
from ganopt.training.recipes import Recipe

PUBLIC_MINUTES = 5
PUBLIC_BATCH, PUBLIC_PARAMETERS, PUBLIC_RUNS, PUBLIC_QUEUE, PUBLIC_FIDS = 32, 7_000_000, 20, 4, 8
# headers that proxies and tunnels add, or the beginnings of their names
FORWARDED = (
    *("forwarded", "via", "x-forwarded", "x-real-ip", "x-original-", "x-client-ip", "x-cluster-client-ip"),
    *("true-client-ip", "cf-", "cdn-loop", "x-envoy-", "x-proxy", "x-scheme", "x-arr-", "x-amzn-", "fly-"),
)


def is_public(request: gr.Request) -> bool:
    """Whether a request is public: its page is reachable from other machines, or the request was forwarded.

    Raises UserError if $GANOPT_PRIVATE is neither 1 nor 0.
    """
    private = _setting()
    return not _is_local(request) if private is None else not private


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
    text = os.environ.get("GANOPT_TRAIN_MINUTES") or (str(PUBLIC_MINUTES) if public else "inf")
    with contextlib.suppress(ValueError):
        if (most := float(text)) >= 0:
            return most if math.isfinite(most) else None
    raise UserError(f"GANOPT_TRAIN_MINUTES is '{text[:40]}'; set it to a number of minutes.")


def limits(public: bool) -> str:
    """The limits on runs, as text for the page; "" if there are none."""
    most = most_minutes(public)
    if most == 0:
        return "Training is switched off on this page; run ganopt on your own machine to train."
    if not public:
        return "" if most is None else f"Runs may take up to {most:g} min."
    longest = "any time" if most is None else f"up to {most:g} min"
    return (
        f"This page is public. Runs may take {longest}, with batches of up to {PUBLIC_BATCH} pictures and generators "
        f"of up to {PUBLIC_PARAMETERS / 1e6:g} M parameters. All visitors can see, stop and resume them, and only the "
        f"last {PUBLIC_RUNS} are kept. There are no limits on your own machine."
    )


def check_minutes(minutes: float | None, public: bool) -> float:
    """Return the minutes. Raises UserError if they are missing or over the limit."""
    most = most_minutes(public)
    if most == 0:
        raise UserError(limits(public))
    if not minutes or minutes <= 0:
        raise UserError("The minutes of the run are missing; enter a number above 0.")
    if most is not None and minutes > most:
        raise UserError(f"{minutes:g} min are too long for a run on this page; enter at most {most:g} min.")
    return minutes


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


def _setting() -> bool | None:
    """$GANOPT_PRIVATE as a boolean; None if it is not set."""
    text = os.environ.get("GANOPT_PRIVATE", "")
    if text not in ("", "0", "1"):
        raise UserError(f"GANOPT_PRIVATE is '{text[:40]}'; set it to 1 for a private page or 0 for a public page.")
    return None if text == "" else text == "1"


def _is_local(request: gr.Request) -> bool:
    """Whether a request comes from this machine directly, to a page that only this machine can reach."""
    http = request.request
    if http is None or "SPACE_ID" in os.environ:
        return False
    demo, headers, client = http.app.get_blocks(), http.headers, http.client
    served_locally = demo.is_running and _is_loopback(demo.server_name)
    shared = demo.share or demo.share_url or demo.is_colab or demo.root_path or demo.mcp_server_obj
    # a proxy that adds no header uses HTTP 1.0, unlike browsers, or keeps the host name of its own page
    direct = http.scope.get("http_version") != "1.0" and not any(name.startswith(FORWARDED) for name in headers)
    addresses = [headers.get("host"), *filter(None, (headers.get("origin"), headers.get("referer")))]
    from_here = client is not None and _is_loopback(client.host) and all(map(_is_loopback, map(_host, addresses)))
    return bool(served_locally and not shared and direct and from_here)


def _host(address: str | None) -> str:
    """The host in a Host header or a URL; "" if there is none."""
    with contextlib.suppress(ValueError):
        address = address or ""
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    return ""


def _is_loopback(host: str | None) -> bool:
    """Whether a host name or IP address is a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False
