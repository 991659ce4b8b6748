// Slack's block for an account elsewhere: whether this person is connected, and the way there.

import { address, avatar, h, icon } from "./dom.js";
import { controlNode } from "./elements.js";

let made = 0;

/** The button that leads to the login; the workspace knows it by the same id. */
function connect(surface, block, name) {
  return controlNode(surface, block, {
    type: "button",
    action_id: `auth_provider_connect_${block.value}`,
    text: { type: "plain_text", text: "Connect", emoji: false },
    style: "primary",
    url: block.auth_url,
    accessibility_label: `Connect: ${name}`,
  });
}

function disconnect(surface, block, name) {
  const menu = block.accessory ? controlNode(surface, block, block.accessory) : null;
  const url = block.disconnect_url && address(block.disconnect_url);
  if (!url) return menu;
  const away = { class: "button", href: url, target: "_blank", rel: "noopener noreferrer", "aria-label": `Disconnect: ${name}` };
  return [h("a", away, h("span", {}, "Disconnect"), icon("open")), menu];
}

/** A client that knows this block never draws its `fallback`. */
export function authProvider(surface, block) {
  const words = (object) => (object ? surface.markup.text(object) : null);
  const on = block.is_connected;
  const title = `provider-${(made += 1)}`;
  const name = block.name.text;
  const account = on && (block.connected_identity || block.connected_context)
    ? h("p", { class: "said" }, words(block.connected_identity), " ", h("span", { class: "quiet" }, words(block.connected_context)))
    : null;
  return h("div", { class: "block provider", role: "group", "aria-labelledby": title, "data-connected": String(on) },
    avatar(surface.page.app),
    h("div", { class: "grow" },
      h("p", { class: "title", id: title }, words(block.name)),
      block.description ? h("p", { class: "quiet said" }, words(block.description)) : null,
      account,
      h("p", { class: "state" }, on ? icon("check") : null, on ? "Connected" : "Not connected")),
    h("div", { class: "actions block" }, on ? disconnect(surface, block, name) : connect(surface, block, name)));
}
