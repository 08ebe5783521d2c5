// Keeps the page fresh. Everything is readable without it: the server writes every view whole.
const REFRESH_MS = 5000;
const STALE_MS = 20000;

let serverAhead = 0; // milliseconds that the server's clock is ahead of this one
let lastGood = Date.now();

const secondsText = (ms) => {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} days`;
};

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const readClock = () => {
  const asOf = document.querySelector("#asof time");
  if (asOf) serverAhead = Date.parse(asOf.dateTime) - Date.now();
};

// Relative times go on between two refreshes.
const tick = () => {
  const now = Date.now() + serverAhead;
  for (const time of document.querySelectorAll("time:not([data-fixed])")) {
    const ms = now - Date.parse(time.dateTime);
    setText(time, ms < 0 ? `in ${secondsText(-ms)}` : `${secondsText(ms)} ago`);
  }
  const asOf = document.querySelector("#asof");
  const silent = Date.now() - lastGood;
  const stale = silent > STALE_MS;
  asOf.classList.toggle("stale", stale);
  const note = asOf.querySelector(".lost") ?? asOf.appendChild(document.createElement("span"));
  note.className = "lost";
  setText(note, stale ? ` — no answer for ${secondsText(silent)}` : "");
};

const copy = async (button, text) => {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "selected";
  }
  setTimeout(() => {
    button.textContent = "copy";
  }, 1500);
};

const addCopyButtons = (root) => {
  for (const code of root.querySelectorAll(".command code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", `copy: ${code.textContent}`);
    button.addEventListener("click", () => copy(button, code.textContent));
    code.after(button);
  }
};

// In a matrix of many sites: only the rows where something is wrong.
let onlyTroubles = false;
const addFilter = (root) => {
  const matrix = root.querySelector("#matrix.dense");
  if (!matrix) return;
  for (const row of matrix.tBodies[0].rows) row.classList.toggle("calm", !row.querySelector("td a"));
  const tools = document.createElement("p");
  tools.className = "tools";
  const button = document.createElement("button");
  button.type = "button";
  button.id = "only-troubles";
  const show = () => {
    matrix.classList.toggle("only-troubles", onlyTroubles);
    button.setAttribute("aria-pressed", String(onlyTroubles));
    button.textContent = onlyTroubles ? "show all rows" : "only rows with troubles";
  };
  button.addEventListener("click", () => {
    onlyTroubles = !onlyTroubles;
    show();
  });
  show();
  tools.append(button);
  matrix.parentElement.before(tools);
};

// Arrow keys move between the cells of the matrix that lead somewhere.
const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
document.addEventListener("keydown", (event) => {
  const step = steps[event.key];
  const cell = event.target.closest?.("#matrix td, #matrix th");
  if (!step || !cell || event.ctrlKey || event.metaKey || event.altKey) return;
  const body = cell.closest("tbody");
  let row = cell.parentElement.sectionRowIndex + step[0];
  let column = cell.cellIndex + step[1];
  for (; body.rows[row]?.cells[column]; row += step[0], column += step[1]) {
    const link = body.rows[row].cells[column].querySelector("a");
    if (!link || body.rows[row].offsetParent === null) continue;
    event.preventDefault();
    link.focus();
    return;
  }
});

// Where the focus is, in words that survive a refresh.
const describe = (node) => {
  if (!node || node === document.body || !node.closest("main")) return null;
  if (node.id) return `#${CSS.escape(node.id)}`;
  const label = node.getAttribute("aria-label");
  if (label) return `[aria-label="${CSS.escape(label)}"]`;
  const href = node.getAttribute("href");
  return href ? `main a[href="${CSS.escape(href)}"]` : null;
};

const isBusy = () => document.hidden || String(getSelection()).length > 0;

const refresh = async () => {
  if (isBusy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok && answer.status !== 404) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const main = fresh.querySelector("main");
  if (!main || isBusy()) return;
  lastGood = Date.now();
  const focus = describe(document.activeElement);
  const scrolls = [...document.querySelectorAll("main .scroll")].map((s) => s.scrollLeft);
  const verdict = document.querySelector("#verdict");
  const said = verdict?.textContent;
  document.querySelector("main").replaceChildren(...main.childNodes);
  // The same sentence is not said again by a screen reader: the old node stays.
  const next = document.querySelector("#verdict");
  decorate(document.querySelector("main"));
  if (verdict && next && next.textContent === said) next.replaceWith(verdict);
  document.querySelector("nav").replaceWith(fresh.querySelector("nav"));
  document.querySelector("#asof").replaceWith(fresh.querySelector("#asof"));
  [...document.querySelectorAll("main .scroll")].forEach((s, i) => {
    s.scrollLeft = scrolls[i] ?? 0;
  });
  if (focus) document.querySelector(focus)?.focus({ preventScroll: true });
  readClock();
};

const decorate = (root) => {
  addCopyButtons(root);
  addFilter(root);
};

decorate(document);
readClock();
setInterval(tick, 1000);
setInterval(() => refresh().catch(() => {}), REFRESH_MS);
