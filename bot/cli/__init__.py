"""What the commands do; `bot/__main__.py` says how they are called."""
