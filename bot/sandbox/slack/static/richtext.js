// The `rich_text` block (docs.slack.dev, "Rich text block").

import { h, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { dated } from "./markup.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code" };

function leaf(element, markup) {
  switch (element.type) {
    case "text": return element.text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
    case "link": return [link(element.url, element.text || element.url)];
    case "emoji": return [emoji(element.name) ?? `:${element.name}:`];
    case "user": return [markup.person(element.user_id)];
    case "channel": return [markup.channel(element.channel_id)];
    case "usergroup": return [h("span", { class: "mention" }, `@${element.usergroup_id}`)];
    case "broadcast": return [markup.broadcast(element.range)];
    case "date": return [element.timestamp && element.format ? dated(element.timestamp, element.format) : element.fallback ?? ""];
    case "color": return [h("code", {}, element.value)];
    default: return [element.text ?? ""];
  }
}

function section(elements, markup) {
  return (elements ?? []).flatMap((element) => {
    let nodes = leaf(element, markup);
    for (const [style, tag] of Object.entries(STYLES)) if (element.style?.[style]) nodes = [h(tag, {}, nodes)];
    return nodes;
  });
}

/** Nodes for the elements of a rich text block. */
export function richText(elements, markup) {
  return (elements ?? []).map((element) => {
    const inside = () => section(element.elements, markup);
    switch (element.type) {
      case "rich_text_preformatted": return h("pre", {}, inside());
      case "rich_text_quote": return h("blockquote", {}, inside());
      case "rich_text_list": {
        const items = element.elements.map((item) => h("li", {}, section(item.elements, markup)));
        const more = { class: `indent-${Math.min(element.indent ?? 0, 5)}` };
        return element.style === "ordered" ? h("ol", { ...more, start: (element.offset ?? 0) + 1 }, items) : h("ul", more, items);
      }
      default: return h("div", { class: "said" }, inside());
    }
  });
}
