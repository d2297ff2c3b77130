"""The measures of the house: small modules and functions, few in a folder, no circles, a docstring for each."""

import ast
import graphlib
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "ganopt").rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
LINES, FUNCTION_LINES = 250, 60
MAX_MODULES = {"ui": 31, "data": 13}  # any other folder has at most 12, without its __init__.py
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_and_says_what_it_does(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= LINES
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]
    long = {node.name: size for node in functions if (size := node.end_lineno - node.lineno + 1) > FUNCTION_LINES}
    assert not long
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_holds_few_modules(folder):
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES.get(folder.name, 12), modules


def test_no_module_imports_itself_through_others():
    names = {_module_name(path): path for path in MODULES}
    graph = {name: _imported(path, names) - {name} for name, path in names.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, modules: Collection[str]) -> set[str]:
    """Those of some modules that a module imports when it is imported."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{each.name}" for each in node.names}
            found |= inner if inner <= set(modules) else inner | {node.module}
    return found & set(modules)
