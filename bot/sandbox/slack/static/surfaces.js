// Where blocks are shown: a message, a modal, the Home tab. Each keeps what was entered and tells the bot of uses.

import { confirmed } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { initial } from "./elements.js";

const WORDS = {
  operation_timeout: "did not answer in time",
  dispatch_failed: "could not be reached, or answered with an error",
};

/** Every control that holds a value, with its block. */
function inputs(blocks) {
  const pairs = blocks.flatMap((block) =>
    [...(block.type === "actions" ? block.elements : []), block.accessory, block.element].map((each) => [block, each]));
  return pairs.filter(([, each]) => each?.action_id && !["button", "overflow", "image"].includes(each.type));
}

export class Surface {
  /** `tell` sends what was used, together with `where` it is; `drafts` outlives a redrawing. */
  constructor(page, blocks, drafts, where) {
    Object.assign(this, { page, blocks, drafts, where, markup: page.markup });
  }

  people() {
    return this.page.people.filter((person) => !person.app);
  }

  channels() {
    return this.page.channels.filter((channel) => !channel.user);
  }

  entered(block, element) {
    const kept = this.drafts[block.block_id]?.[element.action_id];
    return kept === undefined ? initial(element) : kept;
  }

  enter(block, element, value) {
    (this.drafts[block.block_id] ??= {})[element.action_id] = value;
  }

  /** All values, by block and action. */
  values() {
    const made = {};
    for (const [block, element] of inputs(this.blocks)) {
      (made[block.block_id] ??= {})[element.action_id] = this.entered(block, element);
    }
    return made;
  }

  /** Tell the bot that a control was used; false where a confirmation was declined. */
  async use(control, value) {
    const { block, element, node } = control;
    if (element.confirm && !(await confirmed(element.confirm, this.markup))) return false;
    this.failed(node, null);
    node.setAttribute("aria-busy", "true");
    node.setAttribute("aria-disabled", "true");
    const told = { ...this.where, action_id: element.action_id, block_id: block.block_id, value, entered: this.values() };
    const answer = await this.page.post("click", told);
    node.removeAttribute("aria-busy");
    node.removeAttribute("aria-disabled");
    this.failed(node, answer.problem);
    return true;
  }

  failed(node, problem) {
    if (node.nextElementSibling?.classList.contains("failed")) node.nextElementSibling.remove();
    if (!problem) return;
    const words = `${this.page.app.name} ${WORDS[problem] ?? `could not be told: ${problem}`}.`;
    node.after(h("span", { class: "failed", role: "alert", title: words }, icon("warning"), h("span", {}, words)));
  }
}
