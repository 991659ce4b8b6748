// Elements are made here and nowhere else: text only ever becomes text nodes, so what a bot writes cannot become HTML.

const SVG = "http://www.w3.org/2000/svg";

function put(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

/** An element: `h("p", {class: "quiet"}, "text", anotherNode)`; `onclick` and the like are listeners. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  // A select's value can only be set once its options are in it, so children come first.
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  for (const [name, value] of Object.entries(attributes)) put(node, name, value);
  return node;
}

/** A drawing of `size` units, from `[tag, attributes]` pairs. */
export function drawing(size, shapes, attributes = {}) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", `0 0 ${size} ${size}`);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const [tag, more] of shapes) {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(more)) shape.setAttribute(name, value);
    node.append(shape);
  }
  return node;
}

const ICONS = {
  back: "M12.5 4.5 7 10l5.5 5.5",
  check: "m4.5 10.5 3.5 3.5 7.5-8",
  close: "M5 5l10 10M15 5 5 15",
  down: "m5.5 8 4.5 4.5L14.5 8",
  eye: "M2.5 10S5 5.5 10 5.5 17.5 10 17.5 10 15 14.5 10 14.5 2.5 10 2.5 10Zm7.5 1.9a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8Z",
  hash: "M7.5 3.5 6 16.5M14 3.5l-1.5 13M4 7.5h13M3 12.5h13",
  menu: "M3.5 5.5h13M3.5 10h13M3.5 14.5h13",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  open: "M11.5 4H16v4.5M15.5 4.5 9.5 10.5M8 5H5a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-3",
  reply: "M3.5 15.5V6A1.5 1.5 0 0 1 5 4.5h10A1.5 1.5 0 0 1 16.5 6v6a1.5 1.5 0 0 1-1.5 1.5H6ZM7 9h6",
  send: "M3.5 16.5 16.5 10 3.5 3.5l1.5 5.5 5.5 1L5 11Z",
  warning: "M10 3 2.5 16.5h15ZM10 8v4M10 14.3h.01",
};

/** One of the page's own line drawings; decoration only, so hidden from screen readers. */
export function icon(name) {
  return drawing(20, [["path", { d: ICONS[name] }]], { class: `icon icon-${name}`, "aria-hidden": "true" });
}

/** The square with initials before a name; the app shows a tick. */
export function avatar(who, size = "") {
  const looks = `avatar ${size} tint-${who.tint}`;
  if (who.app) return h("span", { class: looks, "aria-hidden": "true" }, icon("check"));
  return h("span", { class: looks, "aria-hidden": "true" }, who.initials);
}

/** An address that may be opened, else null: a bot's `javascript:` and the like stay text. */
export function address(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that leaves the page, or its text where the address may not be opened. */
export function link(text, ...content) {
  const href = address(text);
  const shown = content.length ? content : [text];
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, shown) : h("span", {}, shown);
}
