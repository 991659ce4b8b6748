// Block Kit's controls (docs.slack.dev, "Block elements"). A control knows nothing of where it is shown: `surface`
// keeps what was entered, and `surface.use` tells the bot.

import { address, h, icon } from "./dom.js";
import { multi, overflow } from "./menus.js";

const plain = (object) => object?.text ?? "";

/** What a control holds before anybody touched it, in the form that the workspace takes. */
export function initial(element) {
  if (element.initial_option) return element.initial_option.value;
  if (element.initial_options) return element.initial_options.map((option) => option.value);
  for (const what of ["value", "user", "users", "conversation", "channel", "date", "time"]) {
    if (element[`initial_${what}`] !== undefined) return element[`initial_${what}`];
  }
  return ["checkboxes", "multi_static_select", "multi_users_select"].includes(element.type) ? [] : null;
}

/** One control of one block on one surface. */
class Control {
  constructor(surface, block, element, labels) {
    Object.assign(this, { surface, block, element, labels });
    this.asks = block.type === "input";
    this.dispatches = !this.asks || block.dispatch_action === true;
  }

  get value() {
    return this.surface.entered(this.block, this.element) ?? null;
  }

  set value(value) {
    this.surface.enter(this.block, this.element, value);
  }

  hooks() {
    const { block, element, labels } = this;
    const ids = { "data-action-id": element.action_id, "data-block-id": block.block_id };
    const said = labels?.label ? { "aria-labelledby": labels.label } : { "aria-label": plain(element.placeholder) || "Choose" };
    if (labels?.described) said["aria-describedby"] = labels.described;
    if (this.asks && !block.optional) said["aria-required"] = "true";
    if (element.focus_on_load) said["data-focus"] = "";
    return { ...ids, ...said };
  }

  /** Keep the value, and tell the bot where this control does that; a refused confirmation takes it back. */
  async changed(value, undo = () => {}) {
    const before = this.value;
    this.value = value;
    if (this.dispatches && !(await this.surface.use(this, value))) {
      this.value = before;
      undo(before);
    }
  }
}

function button(control) {
  const { block, element, surface } = control;
  const style = element.style ? ` ${element.style}` : "";
  const more = {
    "data-action-id": element.action_id,
    "data-block-id": block.block_id,
    "aria-label": element.accessibility_label,
  };
  const url = element.url && address(element.url);
  const shown = [h("span", {}, surface.markup.text(element.text)), url ? icon("open") : null];
  const node = url
    ? h("a", { ...more, class: `button${style}`, href: url, target: "_blank", rel: "noopener noreferrer" }, shown)
    : h("button", { ...more, class: `button${style}`, type: "button" }, shown);
  const tell = () => surface.use(control, element.value ?? null);
  node.addEventListener("click", async (event) => {
    if (node.getAttribute("aria-disabled") === "true") return event.preventDefault();
    // A link with a confirmation opens after it: the browser must not follow it first.
    if (url && element.confirm) {
      event.preventDefault();
      if (await tell()) window.open(url, "_blank", "noopener,noreferrer");
    } else tell();
  });
  return node;
}

const options = (list, chosen) =>
  list.map((option) => h("option", { value: option.value, selected: chosen(option.value) }, plain(option.text)));

function select(control, list, groups) {
  const { element } = control;
  const now = control.value;
  const empty = h("option", { value: "" }, plain(element.placeholder) || "Select an item");
  const inside = groups
    ? groups.map((group) => h("optgroup", { label: plain(group.label) }, options(group.options, (v) => v === now)))
    : options(list, (value) => value === now);
  const node = h("select", control.hooks(), empty, inside);
  node.value = now ?? "";
  node.addEventListener("change", () => {
    if (node.value || control.asks) control.changed(node.value || null, (before) => (node.value = before ?? ""));
  });
  return h("span", { class: "select" }, node, icon("down"));
}

let groupsMade = 0;

function group(control, type) {
  const { element, surface } = control;
  const name = `group-${(groupsMade += 1)}`;
  const holds = (value) => (type === "radio" ? control.value === value : (control.value ?? []).includes(value));
  const fieldset = h("fieldset", { ...control.hooks(), role: type === "radio" ? "radiogroup" : "group" });
  const read = () => [...fieldset.querySelectorAll("input:checked")].map((box) => box.value);
  const restore = () => fieldset.querySelectorAll("input").forEach((box) => (box.checked = holds(box.value)));
  fieldset.append(
    ...element.options.map((option) =>
      h("label", { class: "choice" },
        h("input", {
          type, name, value: option.value, checked: holds(option.value),
          onchange: () => control.changed(type === "radio" ? (read()[0] ?? null) : read(), restore),
        }),
        h("span", {}, surface.markup.text(option.text),
          option.description ? h("span", { class: "quiet block" }, surface.markup.text(option.description)) : null))));
  return fieldset;
}

function picker(control, type) {
  const node = h("input", { ...control.hooks(), type, value: control.value ?? "" });
  node.addEventListener("change", () => {
    // In a message a half-typed date is no choice; in a form an emptied one is.
    if (node.value || control.asks) control.changed(node.value || null, (before) => (node.value = before ?? ""));
  });
  return node;
}

const TYPED = {
  plain_text_input: { type: "text" },
  number_input: { type: "text", inputmode: "decimal" },
  email_text_input: { type: "email", autocomplete: "off" },
  url_text_input: { type: "url", autocomplete: "off" },
};

function typed(control) {
  const { element, block, surface } = control;
  const long = element.type === "plain_text_input" && element.multiline;
  const more = { ...control.hooks(), placeholder: plain(element.placeholder), maxlength: element.max_length ?? 3000, value: control.value ?? "" };
  const node = long ? h("textarea", { ...more, rows: 4 }) : h("input", { ...more, ...TYPED[element.type] });
  const on = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  node.addEventListener("input", () => {
    control.value = node.value || null;
    if (block.dispatch_action && on.includes("on_character_entered")) surface.use(control, control.value);
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !block.dispatch_action || !on.includes("on_enter_pressed")) return;
    event.preventDefault();
    surface.use(control, control.value);
  });
  return node;
}

const KINDS = {
  button,
  overflow,
  static_select: (control) => select(control, control.element.options ?? [], control.element.option_groups),
  users_select: (control) => select(control, choices(control.surface.people(), "real_name")),
  channels_select: (control) => select(control, choices(control.surface.channels(), "name")),
  conversations_select: (control) => select(control, choices(control.surface.channels(), "name")),
  multi_static_select: (control) =>
    multi(control, control.element.options ?? control.element.option_groups.flatMap((some) => some.options)),
  multi_users_select: (control) => multi(control, choices(control.surface.people(), "real_name")),
  checkboxes: (control) => group(control, "checkbox"),
  radio_buttons: (control) => group(control, "radio"),
  datepicker: (control) => picker(control, "date"),
  timepicker: (control) => picker(control, "time"),
};

function choices(some, name) {
  return some.map((each) => ({ value: each.id, text: { type: "plain_text", text: each[name], emoji: false } }));
}

/** The node of a control; `labels` are the ids of its label and of what describes it. */
export function controlNode(surface, block, element, labels) {
  const control = new Control(surface, block, element, labels);
  const make = element.type in TYPED ? typed : KINDS[element.type];
  control.node = make ? make(control) : h("span", { class: "quiet" }, `(${element.type})`);
  return control.node;
}
