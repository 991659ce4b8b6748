// The wire: what the page does goes out by POST, what happened comes in by server-sent events.

const PAUSE = 1000;

/** Do something as a person; gives the answer, with `problem` where it did not come about. */
export async function post(name, body) {
  try {
    const response = await fetch(`/ui/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return isJson ? await response.json() : { problem: await response.text() };
  } catch {
    return { problem: "the workspace is not running" };
  }
}

/** What the workspace is made of. Throws where it is not running. */
export async function start() {
  const response = await fetch("/ui/start");
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** Follows the workspace as one person, and comes back by itself when the workspace does. */
export class Live {
  constructor(user, { news, status }) {
    Object.assign(this, { user, news, status });
    this.open();
  }

  open() {
    this.source = new EventSource(`/ui/live?user=${encodeURIComponent(this.user)}`);
    this.source.addEventListener("open", () => this.status(true));
    this.source.addEventListener("message", (event) => this.news(JSON.parse(event.data)));
    this.source.addEventListener("error", () => {
      this.status(false);
      // The browser tries again by itself, except after an answer that was none.
      if (this.source.readyState === EventSource.CLOSED) this.timer = setTimeout(() => this.open(), PAUSE);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }
}
