"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true });
  const announced = document.getElementById("sorted");

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.number === undefined ? cell.textContent.trim() : Number(cell.dataset.number);
  };

  // Numbers before texts, and cells without either last, whichever the direction.
  const order = (one, other, sign) => {
    const group = (value) => (typeof value === "number" ? 0 : value === "" ? 2 : 1);
    if (group(one) !== group(other)) return group(one) - group(other);
    return sign * (group(one) === 0 ? one - other : collator.compare(one, other));
  };

  const sort = (table, rows, column) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const now = heads[column].getAttribute("aria-sort");
    const next = now === "ascending" ? "descending" : now === "descending" ? "" : "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (next) heads[column].setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    const sorted = next
      ? [...rows].sort((one, other) => order(key(one, column), key(other, column), sign))
      : rows;
    body.append(...sorted);
    const by = column ? heads[column].textContent : "the names of the rows";
    announced.textContent = next ? `sorted by ${by}, ${next}` : "in the first order again";
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, rows, column));
    });
  }

  // On a narrow screen a figure fits its width, and a tap shows it in its own size, to be scrolled.
  for (const image of document.querySelectorAll("figure img")) {
    image.addEventListener("click", () => image.classList.toggle("whole"));
  }

  // A link into a folded part opens it; print opens all and folds them again.
  const unfold = () => {
    const target = document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded) folded.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
})();
