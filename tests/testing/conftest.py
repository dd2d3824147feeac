"""The template backend: as a module, and installed for a subprocess."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "backends" / "template"


@pytest.fixture(scope="session")
def template():
    """Return the template's module, loaded from its folder."""
    spec = importlib.util.spec_from_file_location(
        "fastconv_template", TEMPLATE / "fastconv_template.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_kit(tmp_path):
    """Return a function that runs the kit's one command, the template installed beside."""
    site = tmp_path / "site"
    information = site / "fastconv_template-0.1.0.dist-info"
    information.mkdir(parents=True)
    shutil.copy(TEMPLATE / "fastconv_template.py", site)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fastconv-template\nVersion: 0.1.0\n"
    )
    (information / "entry_points.txt").write_text(
        "[fastconv.backends]\ntemplate = fastconv_template:BACKEND\nnothing = refusing:BACKEND\n"
    )
    (site / "refusing.py").write_text(
        "import fastconv_template\n"
        "from dataclasses import replace\n"
        "from fastconv.backend import Decision\n"
        "class Backend(fastconv_template.Backend):\n"
        "    info = replace(fastconv_template.Backend.info, name='nothing')\n"
        "    def decide(self, problem, policy):\n"
        "        return [Decision(False, 'it is shy', 'none')]\n"
        "BACKEND = Backend()\n"
    )

    def run(*arguments: str, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        if plugin:
            command += ["-p", "fastconv.testing.plugin"]
        command += ["--pyargs", "fastconv.testing.conformance", *arguments]
        environment = os.environ | {"PYTHONPATH": str(site)}
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )

    return run
