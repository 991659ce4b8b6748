"""What all single-use links have in common that lead a linked person through one more login: their tickets at rest, and
their pages. Each kind has a room of its own (`oauth.accounts`, `oauth.step_up`)."""
