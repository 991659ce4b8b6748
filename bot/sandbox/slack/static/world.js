// What the page knows: people, places and messages, as the workspace last told them.

import { start } from "./live.js";

const initials = (name) => name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();

export class World {
  constructor() {
    Object.assign(this, { people: [], channels: [], commands: [], unread: {}, messages: new Map(), home: null, me: null, channel: null });
  }

  /** Ask for people, channels and commands. Throws where the workspace does not answer. */
  async load() {
    const found = await start();
    this.team = found.team;
    this.commands = found.commands;
    this.channels = found.channels;
    const people = found.people.map((person, index) => {
      const short = person.real_name.split(" ")[0];
      return { ...person, short, initials: initials(person.real_name), tint: index % 8 };
    });
    const { user, name, slackbot } = found.app;
    this.app = { id: user, name, real_name: name, short: name, app: true, tint: "app" };
    this.slackbot = { id: slackbot, real_name: "Slackbot", short: "Slackbot", initials: "S", tint: "bot" };
    this.people = [...people, this.app];
  }

  person(id) {
    const unknown = { id, real_name: id, short: id, initials: "?", tint: "bot" };
    return [...this.people, this.slackbot].find((person) => person.id === id) ?? unknown;
  }

  /** The places that I am in. */
  mine() {
    return this.channels.filter((channel) => channel.members.includes(this.me));
  }

  /** The place that is open. */
  place() {
    return this.channels.find((channel) => channel.id === this.channel);
  }

  /** What was said in it: `every` message, those `shown` in the conversation, and the replies by thread. */
  said() {
    const every = [...(this.messages.get(this.channel)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
    const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;
    const threads = new Map();
    for (const message of every.filter(isReply)) {
      threads.set(message.thread_ts, [...(threads.get(message.thread_ts) ?? []), message]);
    }
    return { every, shown: every.filter((message) => !isReply(message) || message.broadcast), threads };
  }

  /** Take over what the workspace sent; gives the messages that were not there before. */
  take({ full, messages, unread, home }) {
    if (full) this.messages = new Map();
    const fresh = [];
    for (const message of messages) {
      const kept = this.messages.get(message.channel) ?? new Map();
      this.messages.set(message.channel, kept);
      if (!full && !kept.has(message.ts) && !message.deleted) fresh.push(message);
      if (message.deleted) kept.delete(message.ts);
      else kept.set(message.ts, message);
    }
    Object.assign(this, { unread, home });
    return fresh;
  }

  /** Whether somebody speaks who came after load(). */
  strangers(messages) {
    return messages.some((message) => this.person(message.user).initials === "?");
  }
}
