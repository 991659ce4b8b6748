// Dialogs: the browser's own <dialog> brings the top layer, inertness of the rest and the return of the focus.

import { h } from "./dom.js";

const FOCUSABLE = "button, a[href], input, select, textarea, summary, [tabindex='0']";

/** Keep Tab inside: the browser alone would let it out to its own bars. */
export function trapFocus(dialog) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const all = [...dialog.querySelectorAll(FOCUSABLE)].filter((node) => !node.disabled && node.offsetParent !== null);
    const edge = event.shiftKey ? all[0] : all.at(-1);
    if (document.activeElement !== edge && dialog.contains(document.activeElement)) return;
    event.preventDefault();
    (event.shiftKey ? all.at(-1) : all[0])?.focus();
  });
}

/** Ask what an element's `confirm` asks; true for yes. */
export function confirmed(confirm, markup) {
  return new Promise((resolve) => {
    const no = h("button", { type: "button", class: "button" }, markup.text(confirm.deny));
    const yes = h("button", { type: "button", class: `button ${confirm.style ?? "primary"}` }, markup.text(confirm.confirm));
    const dialog = h("dialog", { class: "modal small", role: "alertdialog", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
      h("header", {}, h("h2", { id: "confirm-title" }, markup.text(confirm.title))),
      h("div", { class: "inside said", id: "confirm-text" }, markup.text(confirm.text)),
      h("footer", {}, no, yes));
    const end = (answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    no.addEventListener("click", () => end(false));
    yes.addEventListener("click", () => end(true));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(false);
    });
    trapFocus(dialog);
    document.body.append(dialog);
    dialog.showModal();
    // A dangerous thing is not what Enter does.
    (confirm.style === "danger" ? no : yes).focus();
  });
}
