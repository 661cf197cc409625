// A click on a heading sorts its table by that column; a second click turns the order round.
"use strict";
const UNITS = { s: 1, min: 60, h: 3600 };

function value(row, column) {
  const cell = row.cells[column];
  const text = (cell.querySelector(".figure") || cell.firstElementChild || cell).firstChild?.textContent ?? "";
  const number = /^[\s]*([-+]?[\d,]*\.?\d+(?:e[-+]?\d+)?)\s*(s|min|h)?/.exec(text);
  return number ? Number(number[1].replaceAll(",", "")) * (UNITS[number[2]] ?? 1) : cell.textContent.trim();
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === "number") return -1;
  return typeof other === "number" ? 1 : one.localeCompare(other, undefined, { numeric: true });
}

function sort(heading, column, table) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, other) => (up ? 1 : -1) * compare(value(one, column), value(other, column)));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(heading, column, table));
    heading.append(button);
  });
}
