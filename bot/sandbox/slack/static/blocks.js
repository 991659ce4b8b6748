// Blocks as DOM nodes (docs.slack.dev, "Blocks").

import { authProvider } from "./connections.js";
import { h } from "./dom.js";
import { controlNode } from "./elements.js";
import { markdown } from "./markdown.js";
import { richText } from "./richtext.js";

let idsMade = 0;

function picture(block, size) {
  const source = block.image_url ?? "";
  // Only what this page serves itself may be loaded; of everything else the words are shown.
  if (source.startsWith("data:image/")) return h("img", { src: source, alt: block.alt_text, class: size });
  return h("span", { class: `alt ${size}`, role: "img", "aria-label": block.alt_text }, block.alt_text);
}

function accessory(surface, block) {
  const element = block.accessory;
  if (!element) return null;
  const inside = element.type === "image" ? picture(element, "thumb") : controlNode(surface, block, element);
  return h("div", { class: "accessory" }, inside);
}

function section(surface, block) {
  const words = block.text ? h("div", { class: "said" }, surface.markup.text(block.text)) : null;
  const fields = block.fields?.map((field) => h("div", { class: "said" }, surface.markup.text(field)));
  return h("div", { class: "block section" },
    h("div", { class: "grow" }, words, fields ? h("div", { class: "fields" }, fields) : null),
    accessory(surface, block));
}

function context(surface, block) {
  const parts = block.elements.map((part) =>
    part.type === "image" ? picture(part, "tiny") : h("span", { class: "said" }, surface.markup.text(part)));
  return h("div", { class: "block context" }, parts);
}

function input(surface, block) {
  const id = `field-${(idsMade += 1)}`;
  const hint = block.hint ? h("p", { class: "hint", id: `${id}-hint` }, surface.markup.text(block.hint)) : null;
  const optional = block.optional ? h("span", { class: "quiet" }, " (optional)") : null;
  return h("div", { class: "block input", "data-input": block.block_id },
    h("div", { class: "label", id: `${id}-label` }, surface.markup.text(block.label), optional),
    controlNode(surface, block, block.element, { label: `${id}-label`, described: `${id}-error${hint ? ` ${id}-hint` : ""}` }),
    h("p", { class: "error", id: `${id}-error` }),
    hint);
}

const STATUS = { pending: ["○", "to do"], in_progress: ["◐", "going on"], complete: ["✓", "done"], error: ["✗", "failed"] };

function task(surface, block) {
  const status = Object.hasOwn(STATUS, block.status ?? "") ? block.status : "pending";
  const [mark, meaning] = STATUS[status];
  const more = [block.details, block.output].filter(Boolean).map((rich) =>
    h("div", { class: "quiet" }, richText(rich.elements, surface.markup)));
  return h("div", { class: `block task is-${status}` },
    h("span", { class: "mark", role: "img", "aria-label": meaning }, mark),
    h("div", { class: "grow" }, h("span", { class: "said" }, block.title), more));
}

function plan(surface, block) {
  return h("div", { class: "block plan" },
    h("p", { class: "plan-title" }, block.title),
    (block.tasks ?? []).map((each) => task(surface, each)));
}

const KINDS = {
  auth_provider: authProvider,
  section,
  context,
  input,
  header: (surface, block) => h("h2", { class: "block header" }, surface.markup.text(block.text)),
  divider: () => h("hr", { class: "block" }),
  actions: (surface, block) =>
    h("div", { class: "block actions" }, block.elements.map((element) => controlNode(surface, block, element))),
  image: (surface, block) =>
    h("figure", { class: "block" }, block.title ? h("figcaption", {}, surface.markup.text(block.title)) : null, picture(block, "large")),
  rich_text: (surface, block) => h("div", { class: "block rich" }, richText(block.elements, surface.markup)),
  plan,
  task_card: task,
  markdown: (surface, block) => h("div", { class: "block rich markdown" }, markdown(block.text)),
};

/** Nodes for blocks; one that this page does not know says so, instead of vanishing. */
export function blockNodes(surface, blocks) {
  return blocks.map((block) =>
    Object.hasOwn(KINDS, block.type) ? KINDS[block.type](surface, block) : h("p", { class: "quiet" }, `(${block.type})`));
}

/** The old way to attach something: a bar, with blocks or text beside it. */
export function attachmentNodes(surface, attachments) {
  return attachments.map((each) => {
    const words = each.blocks ? blockNodes(surface, each.blocks) : [
      each.title ? h("strong", { class: "said block" }, surface.markup.plain(each.title)) : null,
      h("div", { class: "said" }, surface.markup.mrkdwn(each.text ?? each.fallback ?? "")),
    ];
    const node = h("div", { class: "attachment" }, words);
    if (/^#?[0-9a-f]{6}$/i.test(each.color ?? "")) node.style.borderColor = `#${each.color.replace("#", "")}`;
    return node;
  });
}
