"""The settings from the environment that can be wrong, checked once at the start of a program."""

import math
import os
import re
import sys
from pathlib import Path

from ganopt.errors import UserError

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*(@\w[\w./-]*)?")


def check() -> None:
    """Raise UserError for the first setting that cannot be right."""
    for name in ("GANOPT_CHECKPOINTS", "GANOPT_RUNS", "GANOPT_CACHE", "GANOPT_INCEPTION"):
        if _text(name).startswith("~"):
            raise _error(name, "but ~ is not replaced there; write the whole path")
    folder = _text("GANOPT_CHECKPOINTS")
    if folder and not os.path.isdir(folder):
        raise _error("GANOPT_CHECKPOINTS", "which is not a folder; set it to the folder of the models or unset it")
    file = _text("GANOPT_INCEPTION")
    if file not in ("", "official") and not os.path.isfile(file):
        raise _error("GANOPT_INCEPTION", "which is not a file; set it to a file of pytorch-fid's weights or unset it")
    check_writable("GANOPT_RUNS")
    if _text("GANOPT_HUB") and not REPOSITORY.fullmatch(_text("GANOPT_HUB")):
        raise _error("GANOPT_HUB", "not a repository name; write user/name or user/name@revision")
    train_minutes()
    is_private()


def has_several_processes() -> bool:
    """Whether torchrun has started this process together with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ["WORLD_SIZE"] != "1"


def check_writable(name: str) -> None:
    """Raise UserError if a folder that is set, and is created when it is needed, could not be written."""
    if not _text(name):
        return
    path = Path(_text(name)).absolute()
    existing = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not (os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)):
        raise _error(name, f"but {existing} is not a folder that you may write to; choose another folder")


def ignore_unusable_proxies() -> None:
    """Remove proxies that no client can use from the environment, with a sentence on standard error.

    Otherwise every client fails when it is made, even one that would ask nobody.
    """
    for name in [name for name in os.environ if name.lower() in PROXIES and os.environ[name]]:
        import httpx  # slow

        address = _text(name) if "://" in _text(name) else f"http://{_text(name)}"
        try:
            httpx.Client(proxy=address).close()
        except Exception:  # of the scheme, the address, or a package that is not installed
            print(_error(name, "not the address of a proxy that can be used here, so it is ignored"), file=sys.stderr)
            del os.environ[name]


def train_minutes() -> float | None:
    """$GANOPT_TRAIN_MINUTES, the limit on a run from the page; None if it is not set.

    Raises UserError if it is not a number.
    """
    text = _text("GANOPT_TRAIN_MINUTES")
    try:
        minutes = float(text or 0)
    except ValueError:
        minutes = math.nan
    if not minutes >= 0:
        raise _error("GANOPT_TRAIN_MINUTES", "not a number of minutes; set it to a number without a unit, such as 5")
    return minutes if text else None


def is_private() -> bool | None:
    """$GANOPT_PRIVATE; None if it is not set. Raises UserError if it is neither 1 nor 0."""
    text = _text("GANOPT_PRIVATE")
    if text not in ("", "0", "1"):
        raise _error("GANOPT_PRIVATE", "not 1 or 0; set it to 1 for a private page or 0 for a public page")
    return None if text == "" else text == "1"


def _text(name: str) -> str:
    return os.environ.get(name, "")


def _error(name: str, fault: str) -> UserError:
    return UserError(f"{name} is '{_text(name)[:200]}', {fault}.")
