// The page: what it knows, who looks at it, and what is drawn when either changes.

import { blockNodes } from "./blocks.js";
import { Composer } from "./composer.js";
import { h } from "./dom.js";
import { placeHead, sideBar, topBar } from "./frame.js";
import { Live, post } from "./live.js";
import { Markup } from "./markup.js";
import { Conversation } from "./messages.js";
import { Modal } from "./modal.js";
import { Surface } from "./surfaces.js";
import { World } from "./world.js";

const at = (id) => document.getElementById(id);

class Page extends World {
  constructor() {
    super();
    Object.assign(this, { tab: "messages", thread: null, marker: null, drawer: false, kept: new Map() });
    const page = this;
    this.markup = new Markup({
      get me() { return page.me; },
      person: (id) => this.people.find((person) => person.id === id),
      channel: (id) => this.channels.find((channel) => channel.id === id),
    });
    this.modal = new Modal(this);
    this.talk = new Conversation(this, at("scroller"), "Conversation");
    this.aside = new Conversation(this, at("thread-scroller"), "Thread");
    this.composer = new Composer(this, { label: "Message", threaded: false, send: (text) => this.say(text, null) });
    this.answer = new Composer(this, { label: "Reply", threaded: true, send: (text) => this.say(text, this.thread) });
    this.answer.placeholder = "Reply…";
    at("composer").append(this.composer.node);
    at("thread-composer").append(this.answer.node);
    at("thread-close").addEventListener("click", () => this.closeThread());
    at("thread").addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && this.closeThread());
    at("shade").addEventListener("click", () => this.toggleDrawer());
    at("side").addEventListener("keydown", (event) => event.key === "Escape" && this.drawer && this.toggleDrawer());
    document.addEventListener("visibilitychange", () => this.read());
  }

  /** What was entered on a message or a view; it outlives a redrawing. */
  drafts(key) {
    if (!this.kept.has(key)) this.kept.set(key, {});
    return this.kept.get(key);
  }

  // -- what comes in

  news(news) {
    const fresh = this.take(news);
    if (this.strangers(news.messages)) this.load().then(() => this.draw());
    this.draw();
    this.modal.show(news.view);
    for (const message of fresh) this.announce(message);
    this.read();
  }

  announce(message) {
    if (message.channel !== this.channel || message.user === this.me) return;
    const words = h("div", {}, this.markup.mrkdwn(message.text)).textContent;
    at("news").textContent = `${this.person(message.user).real_name}: ${words}`;
  }

  status(on) {
    document.body.dataset.live = on ? "on" : "off";
    at("offline").hidden = on;
    // After a restart there may be other commands.
    if (on && this.wasOff) this.load().then(() => this.draw());
    this.wasOff = !on;
  }

  alert(words) {
    at("alert").textContent = words;
    setTimeout(() => at("alert").textContent === words && (at("alert").textContent = ""), 6000);
  }

  // -- what one does

  post(name, body) {
    return post(name, { user: this.me, ...body });
  }

  say(text, thread) {
    return this.post("say", { channel: this.channel, text, thread_ts: thread });
  }

  dismiss(message) {
    this.post("dismiss", { channel: message.channel, ts: message.ts });
  }

  read() {
    const looking = document.visibilityState === "visible" && this.tab === "messages";
    if (looking && this.unread[this.me]?.[this.channel]) this.post("read", { channel: this.channel });
  }

  become(person, { focus = true } = {}) {
    const same = this.place()?.user ? "app" : this.channel;
    this.live?.close();
    Object.assign(this, { me: person, messages: new Map(), home: null, thread: null, marker: null });
    sessionStorage.setItem("user", person);
    this.modal.show(null);
    const own = this.mine().find((channel) => channel.user);
    this.channel = same === "app" ? own.id : this.mine().some((each) => each.id === same) ? same : "C0GENERAL";
    this.go(this.channel, this.tab);
    this.live = new Live(person, { news: (news) => this.news(news), status: (on) => this.status(on) });
    if (focus) at("top").querySelector("[aria-pressed=true]")?.focus();
  }

  go(channel, tab = "messages") {
    Object.assign(this, { channel, tab: this.channels.find((each) => each.id === channel)?.user ? tab : "messages", thread: null });
    sessionStorage.setItem("channel", this.place().user ? "app" : channel);
    this.mark();
    if (this.drawer) this.toggleDrawer();
    this.remember();
    this.draw({ jump: true });
    this.tell();
    this.read();
    if (matchMedia("(hover: hover)").matches) this.focus();
  }

  /** Remember where the unread messages begin, for the line above them. */
  mark() {
    const others = this.said().every.filter((message) => message.user !== this.me);
    const count = this.unread[this.me]?.[this.channel] ?? 0;
    this.marker = count ? (others.at(-count)?.ts ?? null) : null;
  }

  openTab(tab) {
    this.go(this.channel, tab);
  }

  /** An app hears when somebody looks at it. */
  tell() {
    if (this.place().user) this.post("home", { tab: this.tab });
  }

  openThread(message) {
    this.thread = message.thread_ts ?? message.ts;
    this.draw({ jump: true });
    this.answer.focus();
  }

  closeThread() {
    const root = this.thread;
    this.thread = null;
    this.draw();
    (at("scroller").querySelector(`[data-ts="${CSS.escape(root ?? "")}"] .replies`) ?? this.composer).focus();
  }

  toggleDrawer() {
    this.drawer = !this.drawer;
    document.body.classList.toggle("drawer", this.drawer);
    at("top").querySelector(".drawer-key").setAttribute("aria-expanded", String(this.drawer));
    at(this.drawer ? "side" : "top").querySelector(this.drawer ? "[aria-current]" : ".drawer-key")?.focus();
  }

  focus() {
    if (this.tab === "messages") this.composer.focus();
  }

  remember() {
    const query = new URLSearchParams({ user: this.me, channel: this.channel });
    if (this.tab === "home") query.set("tab", "home");
    history.replaceState(null, "", `?${query}`);
  }

  // -- what is drawn

  draw({ jump = false } = {}) {
    if (!this.me || !this.place()) return;
    this.frame();
    const { every, shown, threads } = this.said();
    const home = this.tab === "home";
    at("scroller").hidden = at("composer").hidden = home;
    at("home").hidden = !home;
    at("empty").hidden = shown.length > 0;
    if (home) this.drawHome();
    else this.talk.show(shown, { replies: threads, marker: this.marker, jump });
    const root = this.thread && every.find((message) => message.ts === this.thread);
    at("thread").hidden = !root;
    if (root) this.aside.show([root, ...(threads.get(this.thread) ?? [])], { inThread: true, jump });
  }

  frame() {
    this.swap(at("top"), topBar(this), "data-user");
    this.swap(at("side"), sideBar(this), "data-channel");
    this.swap(at("head"), placeHead(this), "data-tab");
    const place = this.place();
    const name = place.user ? this.app.name : `#${place.name}`;
    this.composer.placeholder = `Message ${name}`;
    at("empty").textContent = place.user
      ? `This is the very beginning of your direct messages with ${this.app.name}. Try /agent help.`
      : `This is the very beginning of ${name}.`;
    at("thread-place").textContent = name;
    const count = Object.values(this.unread[this.me] ?? {}).reduce((sum, each) => sum + each, 0);
    document.title = `${count ? `(${count}) ` : ""}${name} – ${this.team.name}`;
  }

  /** Replace what is inside, and leave the focus on what it was on. */
  swap(node, children, name) {
    const held = node.contains(document.activeElement) ? document.activeElement.getAttribute(name) : null;
    node.replaceChildren(...children.filter(Boolean));
    if (held) node.querySelector(`[${name}="${CSS.escape(held)}"]`)?.focus();
  }

  drawHome() {
    const stamp = this.home ? `${this.home.id} ${this.home.hash}` : "";
    if (this.homeShown === `${this.me} ${stamp}`) return;
    this.homeShown = `${this.me} ${stamp}`;
    const surface = this.home && new Surface(this, this.home.blocks, this.drafts(this.home.id), { view_id: this.home.id });
    const nothing = h("p", { class: "quiet" }, `${this.app.name} has not put anything here yet.`);
    at("home").replaceChildren(h("div", { class: "sheet" }, surface ? blockNodes(surface, this.home.blocks) : nothing));
  }
}

async function begin() {
  const page = new Page();
  try {
    await page.load();
  } catch {
    // The workspace is just starting, or gone; the page waits for it.
    setTimeout(() => location.reload(), 1500);
    return;
  }
  const asked = new URLSearchParams(location.search);
  const known = (id) => page.people.some((person) => person.id === id && !person.app);
  const [user] = [asked.get("user"), sessionStorage.getItem("user"), "U0ADA"].filter(known);
  page.me = user;
  const wanted = asked.get("channel") ?? sessionStorage.getItem("channel");
  const own = page.mine().find((channel) => channel.user);
  const app = wanted === "app" || page.channels.some((channel) => channel.id === wanted && channel.user);
  page.channel = app ? own.id : page.mine().some((channel) => channel.id === wanted) ? wanted : "C0GENERAL";
  page.tab = app && asked.get("tab") === "home" ? "home" : "messages";
  page.become(user, { focus: false });
}

begin();
