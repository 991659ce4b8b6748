"""The bot's Home tab: what is in it, how it is kept true, and what is pressed there."""

from handlers.tab.clicks import Home, Overheard
from handlers.tab.tab import HomeTab, Sources

__all__ = ["Home", "HomeTab", "Overheard", "Sources"]
