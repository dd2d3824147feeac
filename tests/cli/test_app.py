"""The commands' frame: help, version, plugins' commands, missing packages."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import typer

from fastconv._version import __version__
from fastconv.cli.app import GROUP, OWN

PLUGIN = """
import typer

def greet(name: str = "you") -> None:
    "Greet somebody."
    typer.echo(f"hello {name}")

several = typer.Typer()

@several.command()
def one() -> None:
    typer.echo("first")

@several.command()
def two() -> None:
    typer.echo("second")

def unreadable(value: int | str) -> None:
    pass

number = 7
"""


@pytest.fixture
def points(tmp_path, monkeypatch):
    """Entry points of a plugin's modules: one that works, two that don't."""
    (tmp_path / "fastconv_demo_plugin.py").write_text(PLUGIN)
    (tmp_path / "fastconv_broken_plugin.py").write_text("raise RuntimeError('two\\nlines')\n")
    (tmp_path / "fastconv_leaving_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    return lambda **values: [EntryPoint(name, value, GROUP) for name, value in values.items()]


def test_help_names_every_command(run):
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in OWN)


@pytest.mark.parametrize("command", OWN)
def test_every_command_has_help(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_version(run):
    assert run("--version").output == f"fastconv {__version__}\n"


def test_a_wrong_command_or_option_is_no_traceback(run):
    for arguments in (("trian",), ("info", "--mesure"), ("demo", "--epochs", "many")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_a_plugins_function(run, points):
    found = points(greet="fastconv_demo_plugin:greet")
    assert run("greet", "--name", "Ada", points=found).output == "hello Ada\n"
    assert "Greet somebody." in run("--help", points=found).output


def test_a_plugins_group(run, points):
    found = points(many="fastconv_demo_plugin:several")
    assert run("many", "two", points=found).output == "second\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("fastconv_broken_plugin:main", "RuntimeError: two lines"),
        ("fastconv_leaving_plugin:main", "SystemExit: 3"),
        ("fastconv_absent_plugin:main", "ModuleNotFoundError: No module named"),
        ("fastconv_demo_plugin:nobody", "AttributeError"),
        ("fastconv_demo_plugin:unreadable", "Union"),
        ("fastconv_demo_plugin:number", "TypeError"),
    ],
)
def test_a_broken_plugin_costs_one_line(run, points, capsys, value, reason):
    result = run("--version", points=points(extra=value))
    assert result.exit_code == 0
    assert result.stdout == f"fastconv {__version__}\n"
    warning = capsys.readouterr().err
    assert warning.startswith("fastconv: command 'extra' is skipped: ")
    assert reason in warning
    assert warning.count("\n") == 1


def test_a_plugin_cannot_take_a_command(run, points, capsys):
    result = run("info", "--help", points=points(info="fastconv_demo_plugin:greet"))
    assert "the name 'info' is taken" in capsys.readouterr().err
    assert "Greet" not in result.stdout


def test_of_two_plugins_with_one_name_the_first_stays(run, points, capsys):
    found = points(greet="fastconv_demo_plugin:greet") + points(
        greet="fastconv_demo_plugin:several"
    )
    result = run("greet", points=found)
    assert "the name 'greet' is taken" in capsys.readouterr().err
    assert "hello you" in result.stdout


def test_installed_plugins_are_asked_for(monkeypatch, points):
    from fastconv.cli import app

    asked = []
    monkeypatch.setattr(app, "entry_points", lambda group: asked.append(group) or [])
    assert isinstance(app.build_app(), typer.Typer)
    assert asked == ["fastconv.commands"]


def run_module(code_before, *arguments):
    start = "import runpy; runpy.run_module('fastconv', run_name='__main__')"
    code = f"import sys\n{code_before}\n{start}"
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_python_m():
    done = run_module("", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"fastconv {__version__}\n", "")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_packages_cost_a_sentence(missing):
    done = run_module(f"sys.modules[{missing!r}] = None", "info")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        'fastconv: the command line needs typer and rich: pip install "fastconv[cli]"\n'
    )
