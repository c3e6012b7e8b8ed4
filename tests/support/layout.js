/* What is wrong with how a page lies: sideways scroll, text that is cut, text that lies over other text. Gives a list of sentences. */
() => {
  const found = [], root = document.documentElement, slack = 1.5;
  const name = (element) => {
    const id = element.id ? `#${element.id}` : "", type = typeof element.className === "string" ? element.className : "";
    const classes = type.trim().split(/\s+/).filter(Boolean).slice(0, 2).map((word) => `.${word}`).join("");
    return `${element.tagName.toLowerCase()}${id}${classes}`;
  };
  const says = (node) => node.textContent.trim().replace(/\s+/g, " ").slice(0, 50);

  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > root.clientWidth + slack);
    found.push(`scrolls sideways: ${root.scrollWidth} px in ${root.clientWidth} px, by ${wide.slice(0, 3).map(name).join(", ")}`);
  }

  /* The boxes an element's text may be seen through, innermost first; `scrolls` may be moved, `cuts` may not. */
  const looks = new Map();
  const look = (element) => {
    if (!looks.has(element)) {
      const style = getComputedStyle(element);
      const cuts = (value) => value === "hidden" || value === "clip", scrolls = (value) => value === "auto" || value === "scroll";
      looks.set(element, {
        style, box: element.getBoundingClientRect(), unseen: style.clipPath !== "none" || style.opacity === "0",
        cutsX: cuts(style.overflowX), cutsY: cuts(style.overflowY), scrolls: scrolls(style.overflowX) || scrolls(style.overflowY),
        floats: style.position === "fixed" || style.position === "sticky",
        framed: style.display !== "inline" && (parseFloat(style.borderRightWidth) > 0 || !/(, 0\)|\/ 0\)|transparent)$/.test(style.backgroundColor)),
        ends: style.textOverflow === "ellipsis" && !!(element.closest("[title]") || element.matches("input, select")),
      });
    }
    return looks.get(element);
  };

  const pieces = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const owner = node.parentElement;
    if (!node.data.trim() || owner.closest("script, style, template, option, noscript") || !owner.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    range.selectNodeContents(node);
    let rects = [...range.getClientRects()].filter((rect) => rect.width > 0.5 && rect.height > 0.5);
    let unseen = false, layer = "", cut = null, moved = false, frame = null;
    for (let element = owner; element && element !== root; element = element.parentElement) {
      const { box, ...how } = look(element);
      if (how.unseen) { unseen = true; break; }
      if (how.floats && !layer) layer = name(element);
      if (how.framed && !how.scrolls && !frame && !moved) {
        frame = element;
        if (!how.ends && rects.some((rect) => rect.right > box.right + slack || rect.left < box.left - slack)) found.push(`sticks out: "${says(node)}" of ${name(element)}`);
      }
      if (how.scrolls) {
        moved = true;
        rects = rects.filter((rect) => rect.right > box.left && rect.left < box.right && rect.bottom > box.top && rect.top < box.bottom);
      } else if (!moved && !cut && !how.ends && element !== document.body) {
        const outside = rects.some((rect) => (how.cutsX && (rect.right > box.right + slack || rect.left < box.left - slack))
          || (how.cutsY && (rect.bottom > box.bottom + 3 || rect.top < box.top - 3)));
        if (outside) cut = element;
      }
    }
    if (unseen || !rects.length) continue;
    if (cut) found.push(`is cut: "${says(node)}" in ${name(cut)}`);
    for (const rect of rects) pieces.push({ node, rect, layer });
  }

  const over = 3;
  pieces.sort((a, b) => a.rect.top - b.rect.top);
  pieces.forEach((one, index) => {
    for (let next = index + 1; next < pieces.length && pieces[next].rect.top < one.rect.bottom - over; next += 1) {
      const other = pieces[next];
      if (other.node === one.node || other.layer !== one.layer) continue;
      const width = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const height = Math.min(one.rect.bottom, other.rect.bottom) - other.rect.top;
      if (width > over && height > over) found.push(`overlaps: "${says(one.node)}" and "${says(other.node)}" in ${name(other.node.parentElement)}`);
    }
  });
  return [...new Set(found)].slice(0, 12);
}
