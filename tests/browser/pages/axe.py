"""axe-core, the accessibility checker, at work in a page.

It runs as the page's own script would, but is handed in over the debugging protocol, which the page's policy does not
bind. So the policy stays on, and what is looked at is the page as people get it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page

SOURCE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
needed = pytest.mark.skipif(not SOURCE.exists(), reason="no axe-core: npm --prefix tests/browser ci")

# Every rule: WCAG 2.2 at levels A, AA and AAA, best practices, and those still on trial. Left out is what axe-core
# itself has given up. What it cannot decide counts too, but for a sign such as our mark, which is no text.
_RUN = """async strictly => {
  const out = ["deprecated", ...(strictly ? [] : ["wcag2aaa", "experimental"])];
  const live = axe.getRules().filter(({tags}) => !out.some(t => tags.includes(t)));
  const enabled = Object.fromEntries(live.map(({ruleId}) => [ruleId, {enabled: true}]));
  const found = await axe.run(document, {runOnly: live.map(({ruleId}) => ruleId), rules: enabled});
  if (!found.passes.length) return ["axe-core has looked at nothing"];
  const sign = node => node.any.some(check => check.data?.messageKey === "nonBmp");
  return [...found.violations, ...(strictly ? found.incomplete : [])].flatMap(rule => rule.nodes
    .filter(node => !sign(node))
    .map(node => `${rule.id}: ${node.target} ${node.failureSummary ?? ""}`)) }"""


async def violations(page: Page, *, strictly: bool = True) -> list[str]:
    """What axe-core has against a page, each with its rule and the element.

    Not `strictly`: levels A and AA and best practices, and only what it is certain of.
    """
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(SOURCE.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(_RUN, strictly)
    return found
