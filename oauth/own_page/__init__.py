"""Login on the bot's own page: an address, and the one-time code that Auth0 sends to it. See docs/embedded-login.md."""
