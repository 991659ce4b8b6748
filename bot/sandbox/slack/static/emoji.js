// Emoji by shortcode. The ones a bot like ours uses are drawn here, since not every machine has a font for them.

import { drawing, h } from "./dom.js";

const NAMED = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", arrow_right: "➡️", bell: "🔔", bulb: "💡", calendar: "📅",
  clipboard: "📋", clock3: "🕒", closed_lock_with_key: "🔐", email: "📧", exclamation: "❗", eyes: "👀", fire: "🔥",
  gear: "⚙️", hand: "✋", heart: "❤️", heavy_check_mark: "✔️", heavy_minus_sign: "➖", heavy_plus_sign: "➕", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", information_source: "ℹ️", key: "🔑", large_green_circle: "🟢", large_yellow_circle: "🟡",
  large_blue_circle: "🔵", link: "🔗", lock: "🔒", mag: "🔍", memo: "📝", money_with_wings: "💸", no_entry: "⛔",
  no_entry_sign: "🚫", package: "📦", page_facing_up: "📄", pencil2: "✏️", point_right: "👉", pray: "🙏", question: "❓",
  raised_hand: "✋", receipt: "🧾", red_circle: "🔴", repeat: "🔁", robot_face: "🤖", rocket: "🚀", rotating_light: "🚨",
  shield: "🛡️", slightly_smiling_face: "🙂", smile: "😄", sparkles: "✨", star: "⭐", stopwatch: "⏱️", tada: "🎉",
  thinking_face: "🤔", ticket: "🎫", timer_clock: "⏲️", unlock: "🔓", warning: "⚠️", wave: "👋", white_check_mark: "✅",
  wrench: "🔧", x: "❌", zap: "⚡", leftwards_arrow_with_hook: "↩️",
};

const line = (d, stroke, width = 2.2) => [
  "path",
  { d, fill: "none", stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" },
];
const box = (x, y, width, height, fill, rx = 2) => ["rect", { x, y, width, height, rx, fill }];
const dot = (cx, cy, r, fill) => ["circle", { cx, cy, r, fill }];
const area = (d, fill) => ["path", { d, fill }];
const padlock = (shackle) => [line(shackle, "#8a93a3"), box(4, 9, 12, 9, "#f0b429"), dot(10, 13, 1.5, "#7a5200")];
const sand = [
  area("M5 2h10v3l-4 5 4 5v3H5v-3l4-5-4-5Z", "#cfe3f5"), area("M6.5 15.5 10 12l3.5 3.5V17h-7Z", "#f0b429"),
  line("M4.5 2.2h11M4.5 17.8h11", "#b3732a", 2),
];
const signal = (color) => [dot(10, 10, 7.5, color)];

const DRAWN = {
  "✅": [box(1.5, 1.5, 17, 17, "#1f9d61", 4), line("m5.5 10.5 3 3 6-7", "#fff")],
  "✔": [line("m4 11 4 4 8-10", "#1f9d61", 2.8)],
  "❌": [line("M4.5 4.5l11 11M15.5 4.5l-11 11", "#d9364f", 3)],
  "⚠": [area("M10 2 1.5 17.5h17Z", "#f5b82e"), line("M10 8v4.3M10 15h.01", "#4d3800", 2)],
  "⛔": [dot(10, 10, 8.5, "#d9364f"), box(4.5, 8.4, 11, 3.2, "#fff", 1)],
  "🚫": [["circle", { cx: 10, cy: 10, r: 7.3, fill: "none", stroke: "#d9364f", "stroke-width": 2.4 }], line("m5 5 10 10", "#d9364f", 2.4)],
  "🔒": padlock("M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9"),
  "🔐": padlock("M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9"),
  "🔓": padlock("M6.5 9V5.5a3.5 3.5 0 0 1 6.8-1"),
  "🔑": [["circle", { cx: 6.5, cy: 13.5, r: 3.4, fill: "none", stroke: "#e0a21b", "stroke-width": 2.4 }], line("M9 11l7-7M13 7l2.5 2.5", "#e0a21b", 2.4)],
  "⏳": sand,
  "⌛": sand,
  "🕒": [dot(10, 10, 8.2, "#e8edf5"), line("M10 5v5h4", "#3d4a61", 1.8)],
  "⏱": [dot(10, 11, 7.2, "#e8edf5"), line("M10 7v4M8 1.5h4", "#3d4a61", 1.8)],
  "🔔": [area("M10 2a5 5 0 0 1 5 5c0 5 2 6 2 7H3c0-1 2-2 2-7a5 5 0 0 1 5-5Z", "#f0b429"), dot(10, 16, 2, "#b3732a")],
  "🔗": [line("M8.5 11.5a3 3 0 0 0 4.2 0l3-3a3 3 0 0 0-4.2-4.2M11.5 8.5a3 3 0 0 0-4.2 0l-3 3a3 3 0 0 0 4.2 4.2", "#7a8699")],
  "💡": [area("M10 1.5a6 6 0 0 1 3 11.2V15H7v-2.3a6 6 0 0 1 3-11.2Z", "#f7cf4d"), box(7, 15.5, 6, 3, "#8a93a3", 1)],
  "🤖": [box(3, 6, 14, 11, "#7f9bc4", 3), dot(7.2, 11, 1.6, "#fff"), dot(12.8, 11, 1.6, "#fff"), line("M10 6V2.5", "#d9364f")],
  "📝": [box(3.5, 2, 13, 16, "#eef2f8", 1.5), line("M6.5 6.5h7M6.5 10h7M6.5 13.5h4", "#7a8699", 1.5)],
  "📄": [box(4, 2, 12, 16, "#eef2f8", 1.5), line("M7 6.5h6M7 10h6M7 13.5h6", "#7a8699", 1.5)],
  "🧾": [area("M4 2h12v16l-2-1.5-2 1.5-2-1.5-2 1.5-2-1.5L4 18Z", "#eef2f8"), line("M7 6.5h6M7 10h6", "#7a8699", 1.5)],
  "👋": [area("M6 9 4 5.5a1.2 1.2 0 0 1 2-1.2L8.5 8 6.8 3.8a1.2 1.2 0 0 1 2.2-1l2 4.4-.8-3.7a1.2 1.2 0 0 1 2.3-.6l1.8 6 .7-2a1.3 1.3 0 0 1 2.5.8l-1 5.5A5.5 5.5 0 0 1 7 15.5Z", "#f2b84b")],
  "🎉": [area("M2 18 7 6l7 7Z", "#f0b429"), dot(12, 4, 1.3, "#d9364f"), dot(16, 8, 1.3, "#2f7fd6"), dot(17, 3, 1.1, "#1f9d61"), line("M11 9c1-3 4-3 5-6", "#8b5cf6", 1.6)],
  "👀": [["ellipse", { cx: 6, cy: 10, rx: 3.6, ry: 5, fill: "#fff", stroke: "#7a8699" }], ["ellipse", { cx: 14, cy: 10, rx: 3.6, ry: 5, fill: "#fff", stroke: "#7a8699" }], dot(7, 11.5, 1.7, "#23324a"), dot(15, 11.5, 1.7, "#23324a")],
  "🛡": [area("M10 1.5 17 4v5c0 4.5-3 7.5-7 9.5-4-2-7-5-7-9.5V4Z", "#3d7fe0"), line("m6.8 9.8 2.4 2.4 4-4.6", "#fff", 1.9)],
  "ℹ": [box(1.5, 1.5, 17, 17, "#3d7fe0", 4), line("M10 9v5M10 6h.01", "#fff")],
  "⚡": [area("M11.5 1 4 11.5h4.5L7.5 19 16 8h-5Z", "#f5b82e")],
  "🔴": signal("#d9364f"), "🟢": signal("#1f9d61"), "🟡": signal("#f0b429"), "🔵": signal("#2f7fd6"),
  "🔍": [["circle", { cx: 8.5, cy: 8.5, r: 5.2, fill: "#dcebf8", stroke: "#5a6a82", "stroke-width": 2 }], line("m12.5 12.5 5 5", "#5a6a82", 2.6)],
  "🔁": [line("M4 9a4 4 0 0 1 4-4h7M12.5 2.5 15 5l-2.5 2.5M16 11a4 4 0 0 1-4 4H5M7.5 12.5 5 15l2.5 2.5", "#2f7fd6", 2)],
  "↩": [line("M7 5 3 9l4 4M3.5 9H12a4 4 0 0 1 0 8h-2", "#2f7fd6", 2.2)],
  "✋": [area("M5 10V5a1.1 1.1 0 0 1 2.2 0v3-5a1.1 1.1 0 0 1 2.2 0v5-6a1.1 1.1 0 0 1 2.2 0v6-4.5a1.1 1.1 0 0 1 2.2 0V12l1-1.5a1.2 1.2 0 0 1 2 1.3L14 17a5 5 0 0 1-9-3Z", "#f2b84b")],
};

const FACES = new RegExp(`(${Object.keys(DRAWN).join("|")})\\uFE0F?`, "gu");

function drawn(face, name) {
  // The character stays in the text, out of sight: for whoever copies it, and for a test that reads it.
  const shown = drawing(20, DRAWN[face], { "aria-hidden": "true" });
  return h("span", { class: "emoji", role: "img", "aria-label": name }, shown, h("span", { class: "hidden" }, face));
}

/** The emoji of a shortcode as a node, or null for one that is not known. */
export function emoji(name) {
  const face = Object.hasOwn(NAMED, name) ? NAMED[name] : null;
  if (!face) return null;
  const bare = face.replace("\uFE0F", "");
  return DRAWN[bare] ? drawn(bare, name) : h("span", { class: "emoji", role: "img", "aria-label": name }, face);
}

/** Text in which the emoji characters that are drawn here are drawings. */
export function faced(text) {
  const parts = text.split(FACES);
  return parts.filter((part) => part !== "").map((part) => (DRAWN[part] ? drawn(part, part) : part));
}

/** Text with shortcodes and emoji characters, nothing else interpreted. */
export function withEmoji(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(/:([a-z0-9_+-]+):/g)) {
    const node = emoji(match[1]);
    if (!node) continue;
    found.push(...faced(text.slice(from, match.index)), node);
    from = match.index + match[0].length;
  }
  return [...found, ...faced(text.slice(from))];
}
