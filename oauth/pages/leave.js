// The link is a secret: it leaves the address bar, and with it the browser's history. See `Site.visit` in oauth/site.py.
history.replaceState(null, "", document.querySelector("script[data-to]").dataset.to);
