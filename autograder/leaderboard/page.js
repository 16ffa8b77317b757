// Lets the table be sorted by a column. The page is complete without it.
"use strict";

for (const table of document.querySelectorAll("table")) {
  const heads = [...table.querySelectorAll("th[data-first]")];
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, heads, head));
  }
  table.classList.add("sortable");
}

function sort(table, heads, head) {
  const first = Number(head.dataset.first);
  const sorted = head.getAttribute("aria-sort");
  const direction = sorted ? (sorted === "ascending" ? -1 : 1) : first;
  const value = (row) => Number(row.cells[head.cellIndex].dataset.value);
  const place = (row) => Number(row.cells[0].dataset.value);
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => direction * (value(a) - value(b)) || place(a) - place(b));
  table.tBodies[0].append(...rows);
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
}
