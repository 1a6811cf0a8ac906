"""How Sphinx builds this site: ``make docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bench  # noqa: E402 - the checkout's, not one that is installed

project = "st-vfm-bench"
author = copyright = "the st-vfm-bench authors"  # noqa: A001 - Sphinx's name
version = release = bench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "performance"]  # its tables are part of performance.md
myst_heading_anchors = 3
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a field is described once, in the docstring of its class
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

COMMANDS = "<!-- commands -->"


def setup(app: Any) -> None:
    """Write the reference of the command line into its page."""
    app.connect("source-read", _insert_commands)


def _insert_commands(_app: object, _page: str, source: list[str]) -> None:
    if COMMANDS in source[0]:
        from typer.main import get_command

        from bench.cli.app import app

        source[0] = source[0].replace(COMMANDS, "\n".join(_lines(get_command(app), "stbench")))


def _lines(command: Any, path: str) -> Iterator[str]:
    """A section for a command, or one for each command of a group."""
    for name, each in getattr(command, "commands", {}).items():
        yield from _lines(each, f"{path} {name}")
    if hasattr(command, "commands"):
        return
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    yield from ("", f"## `{path}`", "", command.help or "", "")
    usage = [path, "[OPTIONS]", *map(_argument, arguments)]
    yield from ("```text", " ".join(usage), "```", "")
    yield from ("| option | what it does |", "|---|---|")
    for param in arguments:
        yield f"| `{_argument(param)}` | {_cell(param.help)} |"
    for param in options:
        names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
        default = "" if param.default in (None, False, True, ()) else f" Default: `{param.default}`."
        yield f"| {names} | {_cell(param.help)}{default} |"
    yield "| `--help` | Show what the command does and its options. |"


def _argument(param: Any) -> str:
    name = param.name.upper() + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").replace("<", "&lt;").split())
