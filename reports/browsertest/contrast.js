// Every text that can be seen, and every mark of a figure, whose contrast with what is behind it is less than WCAG 2.2 AA
// asks for: 4.5 for text, 3 for large text and for marks.
(() => {
  const parse = (c) => {
    const n = c.match(/[\d.]+/g)?.map(Number) ?? [];
    return n.length < 3 ? null : [n[0], n[1], n[2], n[3] ?? 1];
  };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (e) => {
    const stack = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c?.[3] > 0) stack.push(c);
      if (c?.[3] === 1) break;
    }
    return stack.reduceRight((under, c) => over(c, under), [255, 255, 255]);
  };
  const wrong = new Map();
  const judge = (e, colour, backs, want) => {
    for (const back of backs) {
      const got = ratio(over(colour, back), back);
      if (got < want) {
        const cls = e.getAttribute("class") ?? "";
        wrong.set(`${e.tagName}.${cls}.${want}`, `${e.tagName} ${cls} in ${e.closest("section, header, nav, footer, figure")?.id ?? "page"}: ${got.toFixed(2)} of ${want}`);
      }
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.closest("script, style, title, desc, .skip") || !e.checkVisibility()) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    const svg = e.closest("svg");
    judge(e, parse(svg ? style.fill : style.color), [behind(svg ?? e)], large ? 3 : 4.5);
  }
  for (const e of document.querySelectorAll("svg path, svg rect, svg circle")) {
    if (e.matches(".grid, .band, .stage, .area, .area2, path.fault") || !e.checkVisibility()) continue;
    const style = getComputedStyle(e), svg = e.closest("svg"), back = behind(svg);
    const colour = parse(style.fill === "none" ? style.stroke : style.fill);
    const bands = [...svg.querySelectorAll(".band")].slice(0, 1).map((b) => over(parse(getComputedStyle(b).fill), back));
    judge(e, colour, [back, ...bands], 3);
  }
  return [...wrong.values()];
})();
