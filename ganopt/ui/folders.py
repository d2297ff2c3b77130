"""The folders of the server in a text, which visitors of a public page do not see."""

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ganopt.files import cache_folder, runs_folder
from ganopt.models import zoo

# an absolute path begins here, and not a part of an address, of a tag or of a name such as big/8
START = r"(?<![\w/<.~-])(?:file://(?:localhost)?(?=/))?"
ROOT = r"(?:[A-Za-z]:|\\)?[\\/]"
SEPARATOR, END = r"[\\/]", r"(?![\w\\/-]|\.\w)"
BRACKETS = r"""\([^()"'\\/<>\n]*\)"""
# the name of a folder; one with spaces is recognised unless it reads like a part of the sentence
WORD = rf"""(?:[^\s"'\\/<>()]|{BRACKETS})+"""
PLAIN = rf"""(?:[^\s"'\\/<>(),;:.]|{BRACKETS})+"""
PROSE = "a|an|and|are|as|at|but|by|can|cannot|contains|does|for|from|has|in|is|needs|not|of|on|or|the|to|was|with"
FOLDER = rf"(?:(?:{WORD}|{PLAIN}(?: (?!(?:{PROSE})\b){PLAIN})+){SEPARATOR})"
QUOTED = re.compile(rf"""(["']){START}{ROOT}(?:[^"'\n]*{SEPARATOR})?([^"'\\/\n]*)\1""")


def without_folders(text: str) -> str:
    """A text in which each absolute path is reduced to its last part, or to what follows the folder of runs."""
    home = Path(os.path.expanduser("~"))  # unlike Path.home, never raises
    known = (home, cache_folder(), zoo.checkpoints(), Path.cwd(), Path(tempfile.gettempdir()))
    text = re.sub(rf"{START}{_any([runs_folder()])}{SEPARATOR}", "", text)
    text = re.sub(rf"{START}{_any([home])}{END}", "~", text)
    text = QUOTED.sub(r"\1\2\1", text)
    return re.sub(rf"{START}(?:{_any(known)}{SEPARATOR}{FOLDER}*|{ROOT}{FOLDER}+)", "", text)


def _any(folders: Iterable[Path]) -> str:
    """A pattern for one of these folders, whose own names may contain anything; the root is none of them."""
    found = {str(each) for folder in folders for each in (folder.absolute(), folder.resolve()) if each.name}
    return f"(?:{'|'.join(map(re.escape, sorted(found, key=len, reverse=True)))})" if found else "(?!)"
