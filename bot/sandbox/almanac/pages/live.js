// Brings in what is new without losing the reader's place. Without scripts the page reloads itself.
const main = document.querySelector("main");

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (fresh && fresh.innerHTML !== main.innerHTML) main.replaceChildren(...fresh.childNodes);
    document.body.classList.remove("away");
  } catch {
    document.body.classList.add("away");
  }
}

setInterval(renew, 1500);
document.addEventListener("visibilitychange", renew);
