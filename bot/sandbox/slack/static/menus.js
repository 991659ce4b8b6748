// The controls that open: several of a list, and the three dots.

import { address, h, icon } from "./dom.js";

const plain = (object) => object?.text ?? "";

/** Several of many: a menu of boxes that tells the bot once, when it closes. */
export function multi(control, list) {
  const { element, surface } = control;
  const most = element.max_selected_items ?? Infinity;
  const names = new Map(list.map((option) => [option.value, plain(option.text)]));
  const summary = h("summary", control.hooks());
  let told = JSON.stringify(control.value ?? []);
  const boxes = list.map((option) =>
    h("label", { class: "choice" },
      h("input", { type: "checkbox", value: option.value, checked: (control.value ?? []).includes(option.value), onchange: picked }),
      h("span", {}, surface.markup.text(option.text))));
  const node = h("details", { class: "multi" }, summary, h("div", { class: "menu" }, boxes));

  function show() {
    const chosen = control.value ?? [];
    const empty = h("span", { class: "quiet" }, plain(element.placeholder) || "Select items");
    summary.replaceChildren(...(chosen.length ? chosen.map((value) => h("span", { class: "chip" }, names.get(value) ?? value)) : [empty]), icon("down"));
    for (const box of node.querySelectorAll("input")) box.disabled = !box.checked && chosen.length >= most;
  }

  function picked() {
    control.value = [...node.querySelectorAll("input:checked")].map((box) => box.value);
    show();
  }

  node.addEventListener("toggle", async () => {
    const now = JSON.stringify(control.value ?? []);
    if (node.open || !control.dispatches || now === told) return;
    told = now;
    await surface.use(control, control.value);
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    event.preventDefault();
    event.stopPropagation();
    node.open = false;
    summary.focus();
  });
  node.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !node.contains(event.relatedTarget)) node.open = false;
  });
  show();
  return node;
}

/** The three dots, with a menu behind them. */
export function overflow(control) {
  const { block, element, surface } = control;
  const node = h("button", {
    type: "button", class: "button overflow", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions",
    "data-action-id": element.action_id, "data-block-id": block.block_id,
  }, icon("more"));
  const menu = h("div", { class: "menu", role: "menu", hidden: true },
    element.options.map((option) =>
      h("button", { type: "button", role: "menuitem", tabindex: "-1", "data-value": option.value, onclick: () => take(option) },
        surface.markup.text(option.text),
        option.description ? h("span", { class: "quiet block" }, surface.markup.text(option.description)) : null)));
  const items = [...menu.children];

  function open(shown) {
    menu.hidden = !shown;
    node.setAttribute("aria-expanded", String(shown));
    (shown ? items[0] : node).focus();
  }

  async function take(option) {
    open(false);
    const told = await surface.use(control, option.value);
    if (told && option.url && address(option.url)) window.open(address(option.url), "_blank", "noopener,noreferrer");
  }

  node.addEventListener("click", () => open(menu.hidden));
  menu.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(at + step + items.length) % items.length].focus();
    else if (event.key === "Escape") open(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const holder = h("span", { class: "pop" }, node, menu);
  holder.addEventListener("focusout", (event) => {
    if (menu.hidden || holder.contains(event.relatedTarget)) return;
    menu.hidden = true;
    node.setAttribute("aria-expanded", "false");
  });
  return holder;
}
