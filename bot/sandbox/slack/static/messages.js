// A conversation: its messages in order, grouped and dated, redrawn only where one changed.

import { attachmentNodes, blockNodes } from "./blocks.js";
import { avatar, h, icon } from "./dom.js";
import { Surface } from "./surfaces.js";

const TOGETHER = 5 * 60;
const SHOWN = 400;

const seconds = (ts) => Number(ts.split(".")[0]);
const clock = (ts) => new Date(seconds(ts) * 1000).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
const whole = (ts) => new Date(seconds(ts) * 1000).toLocaleString([], { dateStyle: "full", timeStyle: "short" });

function day(ts) {
  const at = new Date(seconds(ts) * 1000);
  const ago = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (ago === 0) return "Today";
  return ago === 1 ? "Yesterday" : at.toLocaleDateString([], { weekday: "long", month: "long", day: "numeric" });
}

function time(ts) {
  return h("time", { datetime: new Date(seconds(ts) * 1000).toISOString(), title: whole(ts) }, clock(ts));
}

// A text node alone: nothing in a file is markup.
function snippet(file) {
  return h("details", { class: "snippet" },
    h("summary", {}, `${file.title} · ${file.size.toLocaleString()} bytes`), h("pre", {}, file.preview));
}

function body(page, message) {
  const drafts = page.drafts(`${message.channel}:${message.ts}`);
  const blocks = message.blocks ?? [];
  const surface = new Surface(page, blocks, drafts, { channel: message.channel, ts: message.ts });
  const plain = message.extra?.mrkdwn === false;
  const words = plain ? page.markup.plain(message.text) : page.markup.mrkdwn(message.text);
  const edited = message.edited ? h("span", { class: "quiet edited" }, " (edited)") : null;
  const shown = blocks.length ? [blockNodes(surface, blocks), edited] : h("div", { class: "said" }, words, edited);
  const more = Array.isArray(message.extra?.attachments) ? attachmentNodes(surface, message.extra.attachments) : null;
  return h("div", { class: "body" }, shown, more, (message.extra?.files ?? []).map(snippet));
}

function replies(page, message, thread) {
  if (!thread.length) return null;
  const last = thread.at(-1);
  const faces = [...new Set(thread.map((each) => each.user))].slice(0, 4).map((id) => avatar(page.person(id), "tiny"));
  return h("button", { type: "button", class: "replies", onclick: () => page.openThread(message) },
    faces, h("b", {}, thread.length === 1 ? "1 reply" : `${thread.length} replies`),
    h("span", { class: "quiet" }, `Last reply ${day(last.ts).toLowerCase()} at ${clock(last.ts)}`));
}

function messageNode(page, message, { compact, thread, inThread }) {
  const who = page.person(message.user);
  const mine = message.only_for !== null;
  const dismiss = h("button", { type: "button", class: "link", onclick: () => page.dismiss(message) }, "Dismiss");
  const reply = h("button", { type: "button", class: "plain", title: "Reply in thread", "aria-label": "Reply in thread", onclick: () => page.openThread(message) }, icon("reply"));
  const head = compact ? null : h("div", { class: "head" },
    h("b", { class: "name" }, who.real_name), who.app ? h("span", { class: "badge" }, "APP") : null,
    who.external ? h("span", { class: "badge" }, "EXTERNAL") : null, time(message.ts));
  return h("li", { class: `message${compact ? " compact" : ""}${mine ? " only" : ""}`, "data-ts": message.ts, tabindex: "-1" },
    h("div", { class: "gutter" }, compact ? time(message.ts) : avatar(who)),
    h("div", { class: "grow" },
      mine ? h("p", { class: "note" }, icon("eye"), "Only visible to you") : null,
      head, body(page, message),
      mine ? h("p", { class: "note" }, dismiss) : null,
      inThread ? null : replies(page, message, thread)),
    mine || inThread ? null : h("div", { class: "tools" }, reply));
}

/** Keeps a list of nodes in step with items `{key, stamp, make}`; what did not change stays, focus and all. */
class Rows {
  constructor(list) {
    this.list = list;
    this.known = new Map();
  }

  show(items) {
    const held = document.activeElement;
    const within = held?.closest?.("[data-ts]");
    const [ts, action] = this.list.contains(held) ? [within?.dataset.ts, held.dataset.actionId] : [];
    const known = new Map();
    for (const { key, stamp, make } of items) {
      const old = this.known.get(key);
      known.set(key, old?.stamp === stamp ? old : { stamp, node: make() });
    }
    const wanted = [...known.values()].map(({ node }) => node);
    const kept = new Set(wanted);
    for (const node of [...this.list.children]) if (!kept.has(node)) node.remove();
    wanted.forEach((node, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
    this.known = known;
    if (ts && !this.list.contains(held)) this.refocus(ts, action);
  }

  refocus(ts, action) {
    const message = this.list.querySelector(`[data-ts="${CSS.escape(ts)}"]`);
    const control = action && message?.querySelector(`[data-action-id="${CSS.escape(action)}"]`);
    (control ?? message)?.focus({ preventScroll: true });
  }
}

export class Conversation {
  /** `scroller` is what scrolls; the list is filled into it. */
  constructor(page, scroller, label) {
    this.page = page;
    this.scroller = scroller;
    this.list = h("ol", { class: "messages", "aria-label": label });
    this.rows = new Rows(this.list);
    scroller.append(this.list);
  }

  /** Draw these messages; `to` the end where the reader was there, or where `jump` says so. */
  show(messages, { replies: all = new Map(), marker = null, inThread = false, jump = false } = {}) {
    const { scroller } = this;
    const low = jump || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 90;
    const items = [];
    let before = null;
    messages.slice(-SHOWN).forEach((message, index) => {
      const dated = !before || day(before.ts) !== day(message.ts);
      const fresh = marker === message.ts;
      if (dated && !inThread) items.push(this.rule(`day ${day(message.ts)}`, day(message.ts), "day"));
      if (fresh) items.push(this.rule("new", "New", "new"));
      const thread = all.get(message.ts) ?? [];
      // A card begins with its sender's name, or it would run into the one above.
      const compact = !dated && !fresh && before.user === message.user && !before.only_for && !message.only_for && !message.blocks?.length
        && seconds(message.ts) - seconds(before.ts) < TOGETHER && !(inThread && index === 1) && !(all.get(before.ts)?.length);
      const stamp = [message.rev, compact, thread.length, thread.at(-1)?.rev].join();
      items.push({ key: message.ts, stamp, make: () => messageNode(this.page, message, { compact, thread, inThread }) });
      if (inThread && index === 0 && messages.length > 1) {
        const count = messages.length - 1;
        items.push(this.rule("replies", count === 1 ? "1 reply" : `${count} replies`, "tally"));
      }
      before = message;
    });
    this.rows.show(items);
    if (low) scroller.scrollTop = scroller.scrollHeight;
  }

  rule(key, words, kind) {
    return { key, stamp: words, make: () => h("li", { class: `rule ${kind}` }, h("span", {}, words)) };
  }
}
