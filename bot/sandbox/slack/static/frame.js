// What stands around the conversation: who you are, where you can go, where you are.

import { avatar, h, icon } from "./dom.js";

const badge = (count, words) => (count ? h("span", { class: "count" }, count > 99 ? "99+" : count, h("span", { class: "hidden" }, ` ${words}`)) : null);
const total = (counts) => Object.values(counts ?? {}).reduce((sum, each) => sum + each, 0);

/** The bar on top: the workspace, and the people one can be. */
export function topBar(page) {
  const menu = h("button", { type: "button", class: "plain drawer-key", "aria-label": "Channels", "aria-expanded": String(page.drawer), "aria-controls": "side", onclick: () => page.toggleDrawer() }, icon("menu"));
  const people = page.people.filter((person) => !person.app).map((person) => {
    const me = person.id === page.me;
    return h("button", { type: "button", class: "person", "data-user": person.id, "aria-pressed": String(me), title: person.real_name, onclick: () => page.become(person.id) },
      avatar(person, "tiny"), h("span", { class: "first" }, person.short), me ? null : badge(total(page.unread[person.id]), "unread"));
  });
  return [menu, h("p", { class: "workspace" }, page.team.name),
    h("div", { class: "people", role: "group", "aria-labelledby": "you-are" }, h("span", { id: "you-are", class: "you" }, "You are"), people)];
}

/** The list on the left. */
export function sideBar(page) {
  const item = (channel, shown) => {
    const here = channel.id === page.channel;
    const count = here && page.tab === "messages" ? 0 : page.unread[page.me]?.[channel.id];
    return h("li", {}, h("button", {
      type: "button", class: count ? "place unread" : "place", "data-channel": channel.id, "aria-current": here ? "page" : null, onclick: () => page.go(channel.id),
    }, shown, badge(count, "unread")));
  };
  const rooms = page.mine().filter((channel) => !channel.user);
  const direct = page.mine().filter((channel) => channel.user);
  return [
    h("h2", {}, "Channels"),
    h("ul", {}, rooms.map((channel) => item(channel, [icon("hash"), h("span", { class: "grow" }, channel.name)]))),
    h("h2", {}, "Apps"),
    h("ul", {}, direct.map((channel) => item(channel, [avatar(page.app, "tiny"), h("span", { class: "grow" }, page.app.name)]))),
  ];
}

/** The head of the conversation; an app's has two tabs. */
export function placeHead(page) {
  const channel = page.place();
  if (!channel.user) {
    const faces = page.people.filter((person) => channel.members.includes(person.id)).slice(0, 4);
    return [h("h1", {}, icon("hash"), channel.name), h("p", { class: "quiet topic" }, channel.topic),
      h("span", { class: "faces", title: `${channel.members.length} members` }, faces.map((person) => avatar(person, "tiny")), channel.members.length)];
  }
  const tab = (name, words) =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-selected": String(page.tab === name), "aria-controls": "panel", tabindex: page.tab === name ? "0" : "-1", onclick: () => page.openTab(name) }, words);
  const tabs = h("div", { class: "tabs", role: "tablist" }, tab("home", "Home"), tab("messages", "Messages"));
  tabs.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    page.openTab(page.tab === "home" ? "messages" : "home");
    document.querySelector("[role=tab][aria-selected=true]").focus();
  });
  return [h("h1", {}, avatar(page.app, "tiny"), page.app.name, h("span", { class: "badge" }, "APP")), tabs];
}
