// What is amiss with a page on a small screen, one sentence each: WCAG 2.2, 1.4.10 (reflow) and 2.5.8 (target size).
() => {
  const amiss = [];
  const root = document.documentElement;
  const name = at => `<${at.localName}${at.id ? "#" + at.id : ""}> ${at.textContent.trim().slice(0, 40)}`;
  if (root.scrollWidth > root.clientWidth) amiss.push(`scrolls sideways: ${root.scrollWidth} in ${root.clientWidth}`);

  // Each line of text lies within the screen and within every box around it.
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (!text.data.trim() || !text.parentElement.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const line of range.getClientRects()) {
      if (line.left < 0 || line.right > root.clientWidth) amiss.push(`outside the screen: ${name(text.parentElement)}`);
      for (let box = text.parentElement; box !== document.body; box = box.parentElement) {
        if (getComputedStyle(box).display.startsWith("inline")) continue;
        const around = box.getBoundingClientRect();
        const sideways = line.left < around.left - 1 || line.right > around.right + 1;
        const upright = line.top < around.top - 4 || line.bottom > around.bottom + 4;  // glyph boxes exceed tight lines
        if (sideways || upright) amiss.push(`text leaves <${box.localName}>: ${name(text.parentElement)}`);
      }
    }
  }
  for (const at of document.querySelectorAll("body *")) {
    const cut = getComputedStyle(at).overflow !== "visible" && at.localName !== "input";
    if (cut && (at.scrollWidth > at.clientWidth + 1 || at.scrollHeight > at.clientHeight + 1)) amiss.push(`cut off: ${name(at)}`);
  }

  for (const at of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    const {width, height} = at.getBoundingClientRect();
    if (at.checkVisibility() && (width < 24 || height < 24)) amiss.push(`${width} by ${height} only: ${name(at)}`);
  }
  return amiss;
}
