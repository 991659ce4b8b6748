"""axe-core, the accessibility checker, at work in a page.

It runs as the page's own script would, but is handed in over the debugging protocol, which the page's policy does not
bind. So the policy stays on, and what is looked at is the page as people get it.
"""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

SOURCE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"

# Every rule: WCAG 2.2 at levels A, AA and AAA, best practices, and those still on trial. Left out is what axe-core
# itself has given up, and `p-as-heading`, to which a code in large letters looks like a heading. What it cannot decide
# counts too, but for a sign such as our mark, which is no text.
_RUN = """async () => {
  const live = axe.getRules().filter(rule => !rule.tags.includes("deprecated") && rule.ruleId !== "p-as-heading");
  const rules = Object.fromEntries(live.map(rule => [rule.ruleId, {enabled: true}]));
  const found = await axe.run(document, {rules, resultTypes: ["violations", "incomplete"]});
  const sign = node => node.any.some(check => check.data?.messageKey === "nonBmp");
  const words = rule => node => `${rule.id}: ${node.target} ${node.failureSummary ?? ""}`;
  const said = [...found.violations, ...found.incomplete]
    .flatMap(rule => rule.nodes.filter(node => !sign(node)).map(words(rule)));
  if (!found.passes.length) said.push("axe-core has looked at nothing");
  return said }"""


async def violations(page: Page) -> list[str]:
    """What axe-core has against a page, each with its rule and the element."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(SOURCE.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(_RUN)
    return found
