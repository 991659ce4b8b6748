// The modal that a bot opened. The workspace keeps the stack; the page shows what is on top of it.

import { blockNodes } from "./blocks.js";
import { trapFocus } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { Surface } from "./surfaces.js";

export class Modal {
  constructor(page) {
    this.page = page;
    this.view = null;
    this.drafts = new Map();
    this.dialog = h("dialog", { class: "modal", role: "dialog", "aria-modal": "true", "aria-labelledby": "modal-title" });
    trapFocus(this.dialog);
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    });
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.body.append(this.dialog);
  }

  /** Draw the view, or nothing for null. What was typed stays as long as the view is the same one. */
  show(view) {
    const before = this.view;
    this.view = view;
    if (!view) return this.hide();
    if (before?.id !== view.id || before.hash !== view.hash || before.depth !== view.depth) this.draw(before?.id !== view.id);
    this.complain();
    return undefined;
  }

  hide() {
    this.drafts.clear();
    if (!this.dialog.open) return;
    this.dialog.close();
    this.dialog.replaceChildren();
    // What opened it may have been redrawn meanwhile, and then the browser has nothing to return to.
    if (document.activeElement === document.body) this.page.focus();
  }

  draw(anew) {
    const { view, page } = this;
    const { markup } = page;
    if (!this.drafts.has(view.id)) this.drafts.set(view.id, {});
    this.surface = new Surface(page, view.blocks, this.drafts.get(view.id), { view_id: view.id });
    const held = anew ? null : document.activeElement?.dataset.actionId;
    this.trouble = h("p", { class: "trouble", role: "alert" });
    this.submit = view.submit && h("button", { type: "submit", class: "button primary" }, markup.text(view.submit));
    const deeper = view.depth > 1;
    const back = h("button", { type: "button", class: "plain", "aria-label": "Back", onclick: () => this.close() }, icon("back"));
    const away = h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => this.close(deeper) }, icon("close"));
    const close = h("button", { type: "button", class: "button", onclick: () => this.close() },
      view.close ? markup.text(view.close) : deeper ? "Back" : view.submit ? "Cancel" : "Close");
    const form = h("form", { novalidate: true },
      h("header", {}, deeper ? back : null, h("h2", { id: "modal-title" }, markup.text(view.title)), away),
      h("div", { class: "inside" }, this.trouble, blockNodes(this.surface, view.blocks)),
      h("footer", {}, close, this.submit));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.dialog.replaceChildren(form);
    if (!this.dialog.open) this.dialog.showModal();
    const first = held ? `[data-action-id="${CSS.escape(held)}"]` : "[data-focus]";
    const body = this.dialog.querySelector(".inside");
    (body.querySelector(first) ?? body.querySelector("input, select, textarea, button, a[href]") ?? this.submit ?? close).focus();
  }

  /** Errors go under their inputs, trouble above all. */
  complain() {
    const { view, dialog } = this;
    this.trouble.textContent = view.trouble;
    for (const block of dialog.querySelectorAll("[data-input]")) {
      const error = view.errors[block.dataset.input] ?? "";
      const field = block.querySelector("[data-action-id]");
      block.querySelector(".error").textContent = error;
      block.classList.toggle("wrong", Boolean(error));
      field?.setAttribute("aria-invalid", String(Boolean(error)));
    }
  }

  async send() {
    // Enter in a lone input submits a form even where there is no button for it.
    if (!this.submit) return;
    const { view } = this;
    this.hold(true);
    const answer = await this.page.post("submit", { view_id: view.id, values: this.surface.values() });
    this.hold(false);
    if (this.view?.id !== view.id) return;
    if (answer.problem) this.trouble.textContent = `This could not be sent: ${answer.problem}.`;
    const wrong = Object.keys(answer.errors ?? {});
    if (!wrong.length) return;
    this.view = { ...this.view, errors: answer.errors };
    this.complain();
    this.dialog.querySelector(`[data-input="${CSS.escape(wrong[0])}"] :is([data-action-id], fieldset input)`)?.focus();
  }

  hold(busy) {
    this.submit.disabled = busy;
    this.submit.setAttribute("aria-busy", String(busy));
  }

  close(cleared = false) {
    if (this.view) this.page.post("close", { view_id: this.view.id, cleared });
  }
}
