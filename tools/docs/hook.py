"""Hooks of the documentation site (mkdocs.yml): pages from outside docs/, and tables made from the code.

A page of docs/ is also read where the project is hosted, so its links are those between files of the project; here they become
links between pages. A comment `<!-- table: NAME ARGUMENT -->` is replaced by the table of that name (tables.py).
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "docs")]  # this checkout, not an installed version

import tables  # noqa: E402

HOME = {"index.md": "README.md"}  # page of the site -> file of the project, where the two differ
OUTSIDE = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"]
OUTSIDE_FOLDERS = {"models": ("*.md", "*.png")}
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TABLE = re.compile(r"^<!-- table: (\w+) ?(\S*) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that lie outside docs/."""
    found = {name: name for name in OUTSIDE} | HOME
    for folder, patterns in OUTSIDE_FOLDERS.items():
        for pattern in patterns:
            for path in sorted((ROOT / folder).rglob(pattern)):
                name = path.relative_to(ROOT).as_posix()
                found[name] = name
    for uri, name in found.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the tables; lead links between files to pages."""
    uri = page.file.src_uri
    parts = _FENCE.split(_TABLE.sub(lambda match: tables.TABLES[match[1]](*filter(None, [match[2]])), markdown))
    for index in range(0, len(parts), 2):  # every second part is a code block
        parts[index] = _LINK.sub(lambda match: f"]({_link(match[1], uri, files)})", parts[index])
    return "".join(parts)


def _link(target: str, uri: str, files: Files) -> str:
    """A link of the page `uri`, as it must be in the site. Raises PluginError where it leads to no page or picture."""
    path, sharp, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", target):
        return target
    source = HOME.get(uri, uri if uri in OUTSIDE or uri.split("/")[0] in OUTSIDE_FOLDERS else f"docs/{uri}")
    name = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if (ROOT / name).is_dir():
        name = f"{name}/README.md"
    page = next((page for page, file in HOME.items() if file == name), name.removeprefix("docs/"))
    if files.get_file_from_path(page) is None:
        raise PluginError(f"{source}: the link {target} leads to no page of the site (see tools/docs/hook.py)")
    return posixpath.relpath(page, posixpath.dirname(uri) or ".") + sharp + anchor
