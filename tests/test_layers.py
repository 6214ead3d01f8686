"""The order of the layers: imports point only upwards, and the lower layers need torch alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "klforecast"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")

# A layer may import itself, the layers above it in this list, and the exceptions.
ABOVE = {
    "exceptions": set(),
    "lazy_names": set(),
    "data": set(),
    "ops": set(),
    "core": {"data", "ops"},
    "local": {"data", "ops"},
    "modules": {"ops", "core", "local"},
    "training": {"data", "ops", "core", "modules"},
    "classify": {"ops", "modules", "training"},
    "estimators": {"data", "ops", "core", "local", "modules", "training", "classify"},
    "distributed": {"data", "core", "local", "ops", "estimators"},
    "evaluation": {
        *("data", "ops", "core", "modules", "training", "classify", "estimators", "distributed"),
    },
    "commands": {"data", "estimators", "evaluation"},
    "cli": {
        *("data", "ops", "core", "modules", "training", "classify", "estimators", "evaluation"),
        "commands",
    },
}
TORCH_ONLY = ("ops", "modules")
HEAVY = ("pandas", "sklearn", "skorch", "sktime")


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write relative imports in full"
            names.add(node.module)
            if node.module == "klforecast":
                names.update(f"klforecast.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_only_upwards(path):
    layer = layer_of(path)
    if layer == "__init__":
        return
    assert layer in ABOVE, f"{layer} has no place in the order of the layers"
    allowed = ABOVE[layer] | {layer, "exceptions", "lazy_names"}
    ours = {name for name in imported(path) if name.split(".")[0] == "klforecast"}
    assert "klforecast" not in ours, "import from the module that defines a name"
    assert {name.split(".")[1] for name in ours} <= allowed


@pytest.mark.parametrize(
    ("package", "layers"),
    [
        ("sktime", {"data", "estimators", "evaluation", "cli"}),
        ("skorch", {"training", "classify", "estimators"}),
    ],
)
def test_frameworks_stay_in_the_layers_that_know_them(package, layers):
    users = {
        layer_of(path)
        for path in FILES
        if any(name.split(".")[0] == package for name in imported(path))
    }
    assert users <= layers


def test_ops_and_modules_import_with_torch_and_numpy_alone():
    names = [
        ".".join(("klforecast", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in FILES
        if layer_of(path) in TORCH_ONLY and path.name != "__init__.py"
    ]
    # The package is entered without its __init__, which offers the estimators; None in sys.modules
    # makes the import of that name fail.
    program = f"""
import importlib, sys, types
package = types.ModuleType("klforecast")
package.__path__ = [{str(PACKAGE)!r}]
sys.modules["klforecast"] = package
sys.modules.update(dict.fromkeys({HEAVY!r}))
for name in {names!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "statement", ["from klforecast import KarhunenLoeve", "import klforecast.modules"]
)
def test_transformer_and_modules_are_imported_without_frameworks_they_do_not_use(statement):
    program = f"{statement}; import sys; print([m for m in ('sktime', 'skorch', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("arguments", ["--help", "forecast --help", "leakage --help", "--version"])
def test_help_of_the_command_line_comes_without_torch_and_its_like(arguments):
    heavy = ("torch", "sktime", "sklearn", "pandas", "scipy", "matplotlib")
    program = f"""
import sys
from klforecast.cli import app
try:
    app({arguments.split()!r})
except SystemExit as end:
    print(end.code, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "0 []"
    assert "klforecast" in done.stdout or "Usage" in done.stdout


def test_data_sets_are_listed_without_torch_and_sktime():
    program = """
import sys
from klforecast.cli import app
try:
    app(["datasets"])
except SystemExit as end:
    print(end.code, [m for m in ("torch", "sktime", "sklearn") if m in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "0 []"
    assert "airline" in done.stdout
