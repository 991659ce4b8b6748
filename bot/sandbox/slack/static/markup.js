// Slack's mrkdwn as DOM nodes (docs.slack.dev, "Formatting message text").

import { h, link } from "./dom.js";
import { withEmoji } from "./emoji.js";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** `&lt;`, `&gt;` and `&amp;` decoded, each once: `&amp;lt;` becomes `&lt;`. */
export const decoded = (text) => text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);

/** What is between two marks: nothing may stick to them outside, and no space inside. */
const marked = (mark) => `(?<![\\w${mark}])${mark}(?=[^\\s${mark}])([^\\n]*?[^\\s${mark}])${mark}(?![\\w${mark}])`;

const TOKENS = new RegExp(
  ["<([^<>\\n]+)>", "`([^`\\n]+)`", marked("\\*"), marked("_"), marked("~"), "(\\n)"].join("|"),
  "g",
);

const DATE_FORMS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
};
DATE_FORMS.date_pretty = DATE_FORMS.date;
DATE_FORMS.date_short_pretty = DATE_FORMS.date_short;
DATE_FORMS.date_long_pretty = DATE_FORMS.date_long;

/** `{date_short} at {time}` filled in for a time in seconds since 1970. */
export function dated(seconds, form) {
  const at = new Date(seconds * 1000);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    if (name === "ago") return at.toLocaleString();
    return Object.hasOwn(DATE_FORMS, name) ? at.toLocaleString([], DATE_FORMS[name]) : whole;
  });
}

/** Makes nodes of text; `names` knows people and channels by id. */
export class Markup {
  constructor(names) {
    this.names = names;
  }

  /** A text object, whichever of the two kinds it is. */
  text(object) {
    if (!object) return [];
    return object.type === "mrkdwn" ? this.mrkdwn(object.text) : this.plain(object.text, object.emoji !== false);
  }

  /** plain_text: emoji at most; every other character stands for itself. */
  plain(text, emoji = true) {
    const lines = decoded(String(text)).split("\n");
    return lines.flatMap((line, index) => [index ? h("br") : "", ...(emoji ? withEmoji(line) : [line])]);
  }

  /** mrkdwn with its blocks: code fences and quotes. */
  mrkdwn(text) {
    // The line break after a fence belongs to it.
    const parts = String(text).split(/```\n?([\s\S]*?)\n?```\n?/);
    return parts.flatMap((part, index) => (index % 2 ? this.fence(part) : this.quotes(part)));
  }

  fence(text) {
    return [h("pre", {}, decoded(text.replace(/<([^<>|\n]+)(?:\|([^<>\n]*))?>/g, (_, url, label) => label ?? url)))];
  }

  quotes(text) {
    const found = [];
    let open = null;
    let rest = false;
    const lines = text.split("\n");
    lines.forEach((line, index) => {
      const quote = line.match(rest ? /^()(.*)$/ : /^(?:&gt;|>)((?:&gt;|>){2})? ?(.*)$/);
      if (quote) {
        rest ||= Boolean(quote[1]);
        if (open?.quoted) open.lines.push(quote[2]);
        else found.push((open = { lines: [quote[2]], quoted: true }));
      } else if (open && !open.quoted) open.lines.push(line);
      else if (index < lines.length - 1 || line) found.push((open = { lines: [line], quoted: false }));
    });
    return found.flatMap(({ lines: some, quoted }) => {
      const nodes = this.inline(some.join("\n"));
      return quoted ? [h("blockquote", {}, nodes)] : nodes;
    });
  }

  inline(text) {
    const found = [];
    let from = 0;
    for (const match of text.matchAll(TOKENS)) {
      found.push(...withEmoji(decoded(text.slice(from, match.index))), this.token(match));
      from = match.index + match[0].length;
    }
    return [...found, ...withEmoji(decoded(text.slice(from)))];
  }

  token([, angled, code, bold, italic, struck]) {
    if (angled !== undefined) return this.angled(angled);
    if (code !== undefined) return h("code", {}, decoded(code));
    if (bold !== undefined) return h("strong", {}, this.inline(bold));
    if (italic !== undefined) return h("em", {}, this.inline(italic));
    if (struck !== undefined) return h("s", {}, this.inline(struck));
    return h("br");
  }

  angled(inner) {
    const [target, ...more] = inner.split("|");
    const label = more.length ? more.join("|") : null;
    if (target.startsWith("@")) return this.person(target.slice(1), label);
    if (target.startsWith("#")) return this.channel(target.slice(1), label);
    if (target.startsWith("!")) return this.special(target.slice(1), label);
    const url = decoded(target);
    const shown = label ? this.inline(label) : [url.replace(/^mailto:/, "")];
    return link(url, ...shown);
  }

  person(id, label = null) {
    const mine = id === this.names.me ? " mine" : "";
    return h("span", { class: `mention${mine}` }, `@${this.names.person(id)?.real_name ?? label ?? id}`);
  }

  channel(id, label = null) {
    return h("span", { class: "mention" }, `#${this.names.channel(id)?.name ?? label ?? id}`);
  }

  special(inner, label) {
    const [kind, at, form, url] = inner.split("^");
    if (kind === "date" && Number.isFinite(Number(at)) && form) {
      const shown = dated(Number(at), decoded(form));
      return url ? link(decoded(url), shown) : h("time", { datetime: new Date(at * 1000).toISOString() }, shown);
    }
    if (kind === "subteam") return h("span", { class: "mention" }, label ?? `@${at}`);
    if (["channel", "here", "everyone"].includes(kind)) return this.broadcast(kind);
    return h("span", {}, label ?? `<!${inner}>`);
  }

  broadcast(range) {
    return h("span", { class: "mention mine" }, `@${range}`);
  }
}
