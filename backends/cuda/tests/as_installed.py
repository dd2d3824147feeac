"""Make a checkout look installed: what a distribution says of itself, in a folder for the path."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def described(project):
    """Return the texts of a distribution's METADATA and entry_points.txt."""
    name, version = project["name"], project["version"]
    lines = []
    for group, names in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in names.items()), ""]
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "\n".join(lines)


def main(folder):
    """Write both into a folder."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    metadata, entry_points = described(project)
    name = project["name"].replace("-", "_")
    place = Path(folder) / f"{name}-{project['version']}.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_text(metadata, encoding="utf-8")
    (place / "entry_points.txt").write_text(entry_points, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
