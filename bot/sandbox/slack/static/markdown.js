// The `markdown` block: ordinary Markdown, as language models write it, as DOM nodes.

import { h, link } from "./dom.js";
import { withEmoji } from "./emoji.js";

const INLINE = new RegExp(
  [
    "\\\\([\\\\`*_{}\\[\\]()#+.!~>|-])",
    "`([^`\\n]+)`",
    "!?\\[([^\\]\\n]*)\\]\\(<?([^()\\s>]+(?:\\([^()\\s]*\\)[^()\\s>]*)?)>?(?:\\s+\"[^\"]*\")?\\)",
    "\\*\\*(?=\\S)([^\\n]*?\\S)\\*\\*|(?<!\\w)__(?=\\S)([^\\n]*?\\S)__(?!\\w)",
    "\\*(?=[^\\s*])([^\\n]*?[^\\s*])\\*|(?<!\\w)_(?=\\S)([^\\n]*?\\S)_(?!\\w)",
    "~~(?=\\S)([^\\n]*?\\S)~~",
    "(https?:\\/\\/[^\\s<>()]+[^\\s<>().,;:!?'\"])",
    "( {2,}\\n|\\\\\\n)",
  ].join("|"),
  "g",
);

function inline(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(...withEmoji(text.slice(from, match.index)), token(match));
    from = match.index + match[0].length;
  }
  return [...found, ...withEmoji(text.slice(from))];
}

function token([whole, escaped, code, label, url, strong, strong2, em, em2, struck, bare]) {
  if (escaped !== undefined) return escaped;
  if (code !== undefined) return h("code", {}, code);
  if (url !== undefined) return whole.startsWith("!") ? h("span", { class: "alt" }, label || url) : link(url, ...inline(label || url));
  if ((strong ?? strong2) !== undefined) return h("strong", {}, inline(strong ?? strong2));
  if ((em ?? em2) !== undefined) return h("em", {}, inline(em ?? em2));
  if (struck !== undefined) return h("s", {}, inline(struck));
  return bare !== undefined ? link(bare) : h("br");
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines) {
  const body = lines.slice(2).map((row) => h("tr", {}, cells(row).map((cell) => h("td", {}, inline(cell)))));
  const head = h("tr", {}, cells(lines[0]).map((cell) => h("th", { scope: "col" }, inline(cell))));
  return h("div", { class: "wide" }, h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}

function list(lines) {
  const first = lines[0].match(ITEM);
  const items = [];
  for (const line of lines) {
    const item = line.match(ITEM);
    if (item && item[1].length <= first[1].length) items.push({ text: item[3], more: [] });
    else items.at(-1).more.push(line);
  }
  const nodes = items.map(({ text, more }) => {
    const inner = more.findIndex((line) => ITEM.test(line));
    const own = [text, ...(inner < 0 ? more : more.slice(0, inner)).map((line) => line.trim())].join("\n");
    const box = own.match(/^\[([ xX])\] (.*)$/s);
    return h("li", {}, box ? [box[1] === " " ? "☐ " : "☑ ", inline(box[2])] : inline(own), inner < 0 ? null : list(more.slice(inner)));
  });
  return /\d/.test(first[2]) ? h("ol", { start: parseInt(first[2], 10) }, nodes) : h("ul", {}, nodes);
}

/** Nodes for a Markdown text. */
export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const found = [];
  let at = 0;
  const take = (test) => {
    const from = at;
    while (at < lines.length && test(lines[at], at)) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = line.match(/^\s*(```+|~~~+)/);
    const heading = line.match(/^(#{1,6})\s+(.*?)\s*#*$/);
    if (!line.trim()) at += 1;
    else if (fence) {
      at += 1;
      const code = take((each) => !each.trim().startsWith(fence[1]));
      at += 1;
      found.push(h("pre", {}, code.join("\n")));
    } else if (heading) {
      at += 1;
      found.push(h("p", { class: `title title-${heading[1].length}`, role: "heading", "aria-level": 3 }, inline(heading[2])));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      at += 1;
      found.push(h("hr"));
    } else if (/^\s*>/.test(line)) {
      const quoted = take((each) => /^\s*>/.test(each)).map((each) => each.replace(/^\s*> ?/, ""));
      found.push(h("blockquote", {}, markdown(quoted.join("\n"))));
    } else if (ITEM.test(line)) {
      found.push(list(take((each) => ITEM.test(each) || /^\s{2,}\S/.test(each))));
    } else if (line.includes("|") && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? "") && lines[at + 1].includes("|")) {
      found.push(table(take((each) => each.includes("|"))));
    } else {
      const ends = (each) => !each.trim() || /^(#{1,6}\s|\s*>|\s*```|\s*~~~)/.test(each) || ITEM.test(each);
      at += 1;
      found.push(h("p", {}, inline([line, ...take((each) => !ends(each))].join("\n"))));
    }
  }
  return found;
}
