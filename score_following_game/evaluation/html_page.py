"""The frame of the report's page: its style, the script that sorts its tables, and small pieces of HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light; --ink: #1d2329; --faint: #5c6670; --rule: #d9dde1; --agent: #d55e00; --music: #0072b2; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p, figcaption, summary { color: var(--faint); } code { font-size: .9em; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid var(--ink); position: sticky; top: 0; background: #fff; }
thead th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer; color: inherit; }
th[aria-sort=ascending] button::after { content: " \\25b2"; } th[aria-sort=descending] button::after { content: " \\25bc"; }
tr:target { background: #fff3e6; } a { color: var(--music); }
.bar { display: inline-block; height: .6em; background: var(--agent); vertical-align: baseline; margin-right: .4em; }
td small { white-space: nowrap; color: var(--faint); }
.films { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1.2rem; }
figure { margin: 0; } video, img { width: 100%; height: auto; display: block; } video { background: #eceae8; }
details { border-bottom: 1px solid var(--rule); padding: .4rem 0; } summary { cursor: pointer; }
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [Number(key(a)), Number(key(b))];
        if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");  // unknown: always last
        const order = Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
        return up ? order : -order;
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
}
for (const link of document.querySelectorAll("a[href^='#plot-']"))
  link.addEventListener("click", () => { document.querySelector(link.getAttribute("href")).open = true; });
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table. shown: HTML. value: what it is sorted by, "" if unknown; None: the text shown."""

    shown: str
    value: float | str | None = None

    def html(self) -> str:
        attribute = "" if self.value is None else f' data-value="{escape(str(self.value))}"'
        return f"<td{attribute}>{self.shown}</td>"


def number(value: float, decimals: int) -> Cell:
    """A number, empty where it is nan."""
    return Cell("", "") if value != value else Cell(f"{value:.{decimals}f}", value)


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], ids: Sequence[str] = ()) -> str:
    """A table that is sorted by a click on its head. ids: of the rows."""
    heads = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "\n".join(
        f"<tr{f' id={chr(34)}{ids[place]}{chr(34)}' if ids else ''}>{''.join(cell.html() for cell in row)}</tr>"
        for place, row in enumerate(rows)
    )
    return f'<table class="sortable"><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table>'


def data_uri(content: bytes, kind: str) -> str:
    """The content as an address that needs no file. kind: its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def image(svg: bytes, description: str) -> str:
    return f'<img loading="lazy" alt="{escape(description)}" src="{data_uri(svg, "image/svg+xml")}">'


def page(title: str, body: str) -> str:
    """The whole page. title: text; body: HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n<script>{_SCRIPT}</script>\n</body></html>\n"
    )
