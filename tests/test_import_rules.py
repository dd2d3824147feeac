"""Imports go down only: the rules that keep the parts apart, held by reading the sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastconv"

# A part may import from parts of a lower level, and from itself.
LEVELS = {
    "_version": 0,
    "errors": 0,
    "machine": 1,
    "problem": 1,
    "precision": 1,
    "backend": 2,
    "registry": 3,
    "dispatch": 4,
    "functional": 5,
    "layers": 6,
    "compat": 6,
    "quantization": 7,
    "cli": 8,
    "__main__": 9,
}
# What a backend may know, the built-in one and plugins alike.
FOR_BACKENDS = {"backend", "machine", "problem", "precision", "errors"}
FOR_THE_KIT = FOR_BACKENDS | {"registry"}
# The public names: whoever is above `functional` may use the package as users do.
ABOVE_THE_PACKAGE = {"compat", "cli"}


def imports(path):
    """Yield (module, line) of every import in a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield ".".join(["fastconv", "?relative"]), node.lineno
            elif node.module in ("fastconv", "fastconv.cpu"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield (whole if is_module(whole) else node.module), node.lineno
            else:
                yield node.module or "", node.lineno


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists() or path.with_suffix(".pyx").exists()


def part_of(module):
    """Return the part of fastconv that a module's name belongs to; "" for the package itself."""
    words = module.split(".")
    return words[1] if len(words) > 1 else ""


def sources(folder):
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def part_of_file(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def own_imports(path):
    """Yield (part, line) of what a file imports from fastconv."""
    for module, line in imports(path):
        if module.partition(".")[0] == "fastconv":
            yield part_of(module), line


def offences(paths, allowed):
    return [
        f"{path.relative_to(ROOT)}:{line} imports fastconv.{part}"
        for path in paths
        for part, line in own_imports(path)
        if part not in allowed
    ]


def test_every_part_has_a_place_in_the_order():
    parts = {part_of_file(path) for path in sources(PACKAGE)} - {"__init__"}
    assert parts == LEVELS.keys() | {"cpu", "testing"}


@pytest.mark.parametrize("part", LEVELS)
def test_imports_go_down(part):
    below = {name for name, level in LEVELS.items() if level < LEVELS[part]} | {part}
    if part in ABOVE_THE_PACKAGE:
        below |= {""}
    # The command line shows what the built-in backend has; it alone may look inside.
    if part == "cli":
        below |= {"cpu"}
    paths = [path for path in sources(PACKAGE) if part_of_file(path) == part]
    assert paths
    assert offences(paths, below) == []


def test_the_package_itself_takes_public_names_only():
    public = {"_version", "dispatch", "errors", "functional"}
    assert offences([PACKAGE / "__init__.py"], public) == []


def test_the_built_in_backend_knows_what_any_plugin_may_know():
    assert offences(sources(PACKAGE / "cpu"), FOR_BACKENDS | {"cpu", "_version"}) == []


def test_compiled_sources_import_nothing_of_fastconv():
    pattern = re.compile(r"^\s*(?:from|c?import)\s+fastconv(?:\.(\w+))?", re.MULTILINE)
    for path in sorted((PACKAGE / "cpu").glob("*.p[yx][xi]")):
        found = set(pattern.findall(path.read_text(encoding="utf-8")))
        assert found <= FOR_BACKENDS | {"cpu"}, path


def test_the_conformance_kit_stays_at_the_contract():
    assert offences(sources(PACKAGE / "testing"), FOR_THE_KIT | {"testing"}) == []


def test_plugins_know_the_contract_alone():
    plugins = [path for path in sources(ROOT / "backends") if "tests" not in path.parts]
    assert plugins
    benchmarks = [path for path in plugins if "bench" in path.parts]
    assert offences(set(plugins) - set(benchmarks), FOR_BACKENDS) == []
    # What is measured comes with the kit for authors of backends.
    assert offences(benchmarks, FOR_BACKENDS | {"testing"}) == []


def test_nothing_in_fastconv_imports_a_plugin():
    plugins = {path.stem for path in sources(ROOT / "backends")} | {"backends"}
    plugins |= {path.name.replace("-", "_") for path in (ROOT / "backends").glob("*/*")}
    plugins |= {"fastconv_cuda", "fastconv_template"}
    for path in sources(PACKAGE):
        for module, line in imports(path):
            assert module.partition(".")[0] not in plugins - {"tests"}, f"{path}:{line}"


def test_nobody_but_the_command_line_and_an_entry_point_names_the_built_in_backend():
    offenders = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(PACKAGE)
        for part, line in own_imports(path)
        if part == "cpu" and part_of_file(path) not in ("cpu", "cli")
    ]
    assert offenders == []
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'cpu = "fastconv.cpu.backend:BACKEND"' in text


def test_relative_imports_are_not_used():
    for path in sources(PACKAGE):
        assert all("?relative" not in module for module, _ in imports(path)), path


def test_the_reader_of_imports_sees_what_it_should(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(
        "import fastconv.cpu.backend\nfrom fastconv import registry, use\n"
        "from fastconv.cpu import _core\n"
        "def f():\n    from fastconv.layers.base import Layer\n    from . import x\n"
    )
    found = [module for module, _ in imports(path)]
    assert found == [
        "fastconv.cpu.backend",
        "fastconv.registry",
        "fastconv",
        "fastconv.cpu._core",
        "fastconv.layers.base",
        "fastconv.?relative",
    ]
