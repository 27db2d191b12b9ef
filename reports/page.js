"use strict";
// The page is whole without this: it adds copying the command, filters for the ledgers, one time under the mouse in all figures,
// dragging to see a part of it, and the keys j (first failure), t (top), / (filter), arrows and Esc (that part of the time).
const copy = document.getElementById("copy");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById("command").textContent);
    copy.textContent = "Copied";
  });
}
function jump() {
  const failure = document.getElementById("failure");
  if (!failure) return;
  failure.scrollIntoView({ block: "center" });
  failure.focus({ preventScroll: true });
}
document.getElementById("jump")?.addEventListener("click", (e) => {
  e.preventDefault();
  jump();
});
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches?.("input")) return;
  if (e.key === "j") jump();
  if (e.key === "t") window.scrollTo({ top: 0 });
  if (e.key === "/" && filters.length) { e.preventDefault(); filters[0].focus(); }
  if (e.key === "Escape") look();
  if (part && (e.key === "ArrowLeft" || e.key === "ArrowRight")) {
    const by = (part[1] - part[0]) / 4 * (e.key === "ArrowLeft" ? -1 : 1);
    look(part[0] + by, part[1] + by);
    e.preventDefault();
  }
});

// A filter above each ledger: the rows that have all of its words.
const filters = [...document.querySelectorAll("[data-filter]")].map((box) => {
  const input = document.createElement("input"), told = document.createElement("output");
  input.type = "search";
  input.placeholder = "Filter " + box.dataset.filter;
  input.setAttribute("aria-label", "Filter " + box.getAttribute("aria-label"));
  const rows = [...box.querySelectorAll("tbody tr")];
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const r of rows) {
      const text = r.textContent.toLowerCase();
      if (!(r.hidden = !words.every((w) => text.includes(w)))) n++;
    }
    told.textContent = words.length ? n + " of " + rows.length : "";
  });
  const line = document.createElement("div");
  line.className = "filter";
  line.append(input, told);
  box.before(line);
  return input;
});
// A link to a row that is filtered away shows it again.
addEventListener("hashchange", () => {
  const row = document.getElementById(location.hash.slice(1))?.closest("tr[hidden]");
  if (row) for (const f of filters) { f.value = ""; f.dispatchEvent(new Event("input")); }
  row?.scrollIntoView({ block: "center" });
  document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
});

// Figures over the time of the run. Each has its marks in a drawing within the drawing, so that a part of the time can fill it.
const svgNS = "http://www.w3.org/2000/svg";
const make = (name, attributes) => {
  const e = document.createElementNS(svgNS, name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  return e;
};
const plots = [...document.querySelectorAll("svg[data-time]")].map((svg) => {
  const [t0, t1, left, right] = svg.dataset.time.split(" ").map(Number);
  const height = svg.viewBox.baseVal.height;
  const cross = make("path", { class: "cross", d: "" }), at = make("text", { class: "word", y: 12 });
  svg.append(cross, at);
  return { svg, t0, t1, left, right, height, cross, at, whole: svg.closest("#figures") !== null };
});
let part = null; // of the time that is shown, null: all
const span = (p) => (part && p.whole ? part : [p.t0, p.t1]);
const timeAt = (p, x) => {
  const box = p.svg.getBoundingClientRect(), [a, b] = span(p);
  const px = (x - box.left) / box.width * p.svg.viewBox.baseVal.width;
  return a + (px - p.left) / (p.right - p.left) * (b - a);
};
const words = (t) => (t < 0 ? "" : t < 1 ? +(t * 1000).toPrecision(4) + "ms" : +t.toPrecision(5) + "s");
const point = (t) => {
  for (const p of plots) {
    const [a, b] = span(p), x = p.left + (t - a) / (b - a) * (p.right - p.left);
    const shown = t >= a && t <= b;
    p.cross.setAttribute("d", shown ? `M${x} 20V${p.height - 26}` : "");
    p.at.textContent = shown ? words(t) : "";
    p.at.setAttribute("x", Math.min(x + 4, p.right - 60));
  }
};
let from = null;
for (const p of plots) {
  p.svg.addEventListener("pointermove", (e) => point(timeAt(p, e.clientX)));
  p.svg.addEventListener("pointerleave", () => { point(-1); });
  p.svg.addEventListener("pointerdown", (e) => { if (p.whole && e.button === 0) from = [e.clientX, timeAt(p, e.clientX)]; });
  p.svg.addEventListener("pointerup", (e) => {
    if (from && Math.abs(e.clientX - from[0]) > 8) look(from[1], timeAt(p, e.clientX));
    from = null;
  });
  p.svg.addEventListener("dragstart", (e) => e.preventDefault());
}
const hint = document.getElementById("zoom");
if (hint && plots.some((p) => p.whole)) {
  hint.hidden = false;
  hint.querySelector("button").addEventListener("click", () => look());
}
// look shows that part of the time in all figures, and says so in the address; all of it without one.
function look(a, b) {
  const all = plots.find((p) => p.whole);
  if (!all || a === undefined && !part) return;
  if (a !== undefined) {
    const wide = Math.max(Math.abs(b - a), (all.t1 - all.t0) / 1e4);
    a = Math.max(all.t0, Math.min(a, b, all.t1 - wide));
    part = [a, Math.min(all.t1, a + wide)];
  } else part = null;
  for (const p of plots) if (p.whole) show(p);
  history.replaceState(null, "", part ? "#time=" + part.map((t) => +t.toPrecision(6)).join("-") : "#figures");
}
function show(p) {
  if (!p.inner) {
    p.inner = make("svg", { x: p.left, y: 0, width: p.right - p.left, height: p.height, preserveAspectRatio: "none", class: "inner" });
    p.marks = [...p.svg.querySelectorAll("path.hit, path.bad, path.never, circle")];
    for (const e of [...p.svg.children]) if (e.matches("a, rect, circle, path:not(.grid):not(.cross)")) p.inner.append(e);
    p.svg.insertBefore(p.inner, p.cross);
    p.labels = [...p.svg.querySelectorAll("text.stage, text[text-anchor=middle], text.word")].filter((t) => t !== p.at);
    p.grid = [...p.svg.querySelectorAll("path.grid")].filter((g) => g.getAttribute("d").includes("V"));
    p.ticks = [0, 0.25, 0.5, 0.75, 1].map((k) => {
      const t = make("text", { x: p.left + k * (p.right - p.left), y: p.height - 10, "text-anchor": "middle" });
      p.svg.append(t);
      return t;
    });
  }
  const [a, b] = span(p), px = (t) => p.left + (t - p.t0) / (p.t1 - p.t0) * (p.right - p.left);
  const k = (px(b) - px(a)) / (p.right - p.left);
  p.inner.setAttribute("viewBox", `${px(a)} 0 ${px(b) - px(a)} ${p.height}`);
  for (const m of p.marks) {
    const x = m.getAttribute("cx") || /^M([\d.]+)/.exec(m.getAttribute("d"))[1];
    m.setAttribute("transform", `translate(${x} 0) scale(${k} 1) translate(${-x} 0)`);
  }
  for (const t of [...p.labels, ...p.grid]) t.classList.toggle("gone", part !== null);
  p.ticks.forEach((t, i) => { t.textContent = part ? words(a + (b - a) * i / 4) : ""; });
}
const asked = /^#time=([\d.e-]+?)-([\d.e-]+)$/.exec(location.hash);
if (asked) look(+asked[1], +asked[2]);
