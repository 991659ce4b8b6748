// The box one types in, with what it offers to complete: commands, people, channels.

import { avatar, h, icon } from "./dom.js";

/** What continues a line that begins with a slash: commands, and what each declares may follow it. */
export function commandOffers(line, commands) {
  const every = commands.flatMap((command) => [
    { take: command.command, hint: command.usage_hint, about: command.description, goes: command.completions.length > 0 },
    ...command.completions.map((more) => ({
      take: `${command.command} ${more.text}`, hint: more.hint, about: more.description, goes: Boolean(more.hint),
    })),
  ]);
  const typed = line.toLowerCase();
  const spaced = typed.includes(" ");
  const matches = every.filter(({ take }) => take.toLowerCase().startsWith(typed) && take.includes(" ") === spaced);
  if (matches.length) return { offers: matches, note: null };
  // Past the words that are known: only a reminder of what is expected.
  const begun = every.filter(({ take, hint }) => hint && typed.startsWith(`${take.toLowerCase()} `));
  return { offers: [], note: begun.at(-1) ?? null };
}

/** What continues the word before the caret, where that begins with @ or #. */
export function nameOffers(before, page) {
  const found = before.match(/(?:^|[\s(])([@#])(\w*)$/);
  if (!found) return [];
  const [, sign, part] = found;
  const starts = (word) => word.toLowerCase().startsWith(part.toLowerCase());
  if (sign === "#") {
    const rooms = page.channels.filter((channel) => !channel.user && starts(channel.name));
    return rooms.map((channel) => ({ take: `#${channel.name}`, about: channel.topic, goes: true, part: part.length + 1 }));
  }
  return page.people
    .filter((person) => starts(person.short) || starts(person.real_name))
    .map((person) => ({ take: `@${person.short}`, about: person.real_name, who: person, goes: true, part: part.length + 1 }));
}

export class Composer {
  /** `send(text)` does it; `threaded` leaves commands out, which Slack does not take there. */
  constructor(page, { label, threaded, send }) {
    Object.assign(this, { page, threaded, send, offers: [], at: 0 });
    this.id = threaded ? "offers-thread" : "offers";
    this.box = h("textarea", { rows: 1, "aria-label": label, "aria-autocomplete": "list", "aria-controls": this.id });
    this.list = h("ul", { id: this.id, class: "offers", role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.note = h("p", { class: "offers note", hidden: true });
    this.button = h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send", onclick: () => this.submit() }, icon("send"));
    const key = (sign, words) =>
      h("button", { type: "button", class: "plain key", "aria-label": words, title: words, onclick: () => this.type(sign) }, sign);
    const bar = h("div", { class: "bar" }, key("@", "Mention someone"), threaded ? null : key("/", "Use a command"),
      h("span", { class: "quiet tip" }, h("kbd", {}, "Enter"), " to send"), this.button);
    this.node = h("div", { class: "composer" }, this.list, this.note, h("div", { class: "frame" }, this.box, bar));
    this.box.addEventListener("input", () => this.refresh());
    this.box.addEventListener("click", () => this.refresh());
    this.box.addEventListener("blur", () => this.offer([], null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.refresh();
  }

  set placeholder(text) {
    this.box.placeholder = text;
  }

  focus() {
    this.box.focus();
  }

  type(sign) {
    const { box } = this;
    box.focus();
    if (sign === "/") box.value = "/";
    else box.setRangeText(sign, box.selectionStart, box.selectionEnd, "end");
    this.refresh();
  }

  /** Offer what fits, and be as tall as the text. */
  refresh() {
    const { box } = this;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
    this.button.disabled = !box.value.trim();
    const before = box.value.slice(0, box.selectionStart);
    if (document.activeElement !== box) return this.offer([], null);
    if (box.value.startsWith("/") && !this.threaded) {
      const { offers, note } = commandOffers(before, this.page.commands);
      return this.offer(offers.map((each) => ({ ...each, part: before.length })), note);
    }
    return this.offer(nameOffers(before, this.page), null);
  }

  offer(offers, note) {
    Object.assign(this, { offers, at: 0 });
    this.list.hidden = !offers.length;
    this.list.replaceChildren(...offers.map((each, index) =>
      h("li", { role: "option", id: `${this.id}-${index}`, onmousedown: (event) => this.picked(event, index) },
        each.who ? avatar(each.who, "tiny") : null, h("b", {}, each.take), each.hint ? h("span", { class: "args" }, each.hint) : null,
        h("span", { class: "quiet" }, each.about))));
    this.note.hidden = !note;
    if (note) this.note.replaceChildren(h("b", {}, note.take), h("span", { class: "args" }, note.hint), h("span", { class: "quiet" }, note.about));
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.at)));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    if (this.offers.length) this.box.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  picked(event, index) {
    event.preventDefault();
    this.at = index;
    this.take();
  }

  take() {
    const { take, goes, part } = this.offers[this.at];
    const end = this.box.selectionStart;
    this.box.setRangeText(goes ? `${take} ` : take, end - part, end, "end");
    this.refresh();
    if (!goes) this.offer([], null);
  }

  /** Whether the offer is already there in full, so that Enter means "send". */
  get complete() {
    const { take, part } = this.offers[this.at];
    const typed = this.box.value.slice(this.box.selectionStart - part, this.box.selectionStart);
    return take.toLowerCase() === typed.toLowerCase();
  }

  key(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const some = this.offers.length;
    if (some && step) this.at = (this.at + step + some) % some;
    else if (some && event.key === "Escape") this.offer([], null);
    else if (some && event.key === "Tab" && !event.shiftKey) this.take();
    else if (event.key === "Enter" && !event.shiftKey) {
      if (some && !this.complete) this.take();
      else this.submit();
    } else return;
    event.preventDefault();
    this.mark();
  }

  async submit() {
    const text = this.box.value;
    if (!text.trim()) return;
    this.box.value = "";
    this.refresh();
    const answer = await this.send(text);
    if (!answer?.problem) return;
    // It did not go out: give it back, unless something else has been typed since.
    if (!this.box.value) this.box.value = text;
    this.refresh();
    this.page.alert(`Not sent: ${answer.problem}.`);
  }
}
