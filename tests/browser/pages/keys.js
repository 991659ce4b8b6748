// Looks at the focus from inside the page; `keys` is asked between one key and the next. It changes nothing there.
globalThis.keys ??= (() => {
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const controls = () => [...document.querySelectorAll(CONTROLS)].filter(at => !at.disabled && at.checkVisibility());
  const name = at => `${at.localName} ${(at.labels?.[0] ?? at).textContent.trim()}`;
  const ring = at => { const {outlineStyle, outlineWidth, outlineColor, boxShadow} = getComputedStyle(at);
    return JSON.stringify([outlineStyle, outlineWidth, outlineColor, boxShadow]) };
  let rest = new Map();

  const parts = colour => colour.match(/[\d.]+/g).map(Number);
  const light = colour => { const [r, g, b] = parts(colour).map(x => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b };
  const ground = at => { for (at = at.parentElement; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((parts(colour)[3] ?? 1) === 1) return colour } return "rgb(255, 255, 255)" };
  const contrast = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + .05) / (b + .05) };

  // WCAG 2.2: 2.4.7 and 2.4.13 (a focus that is seen, 2 pixels at 3 to 1), 2.4.11 (nothing lies over it).
  const amiss = at => {
    const found = [], {outlineStyle, outlineWidth, outlineColor} = getComputedStyle(at);
    if (!rest.has(at)) return ["it is nothing to work"];
    if (ring(at) === rest.get(at) || outlineStyle === "none") found.push("its focus is not seen");
    else if (parseFloat(outlineWidth) < 2) found.push(`its ring is ${outlineWidth} thin`);
    else if (contrast(outlineColor, ground(at)) < 3) found.push(`its ring is pale, ${outlineColor}`);
    const box = at.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!at.contains(top)) found.push("it is off the screen or behind something");
    return found;
  };
  const works = at => {
    if (at.matches("a")) return ["Enter"];
    if (at.matches("button, summary, [type=submit], [tabindex]")) return ["Enter", "Space"];
    return at.matches("[type=checkbox], [type=radio], select") ? ["Space"] : ["7", "Enter"];
  };

  // What a key does is heard and held back, so that the page stays.
  let heard = false;
  const hold = event => { heard = true; event.preventDefault(); event.stopImmediatePropagation() };
  for (const kind of ["click", "submit", "beforeinput"]) addEventListener(kind, hold, true);

  return {
    inVisualOrder: () => controls().map(at => [at, at.getBoundingClientRect()])
      .sort(([, a], [, b]) => a.bottom <= b.top ? -1 : b.bottom <= a.top ? 1 : a.left - b.left).map(([at]) => name(at)),
    toTop: () => {
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
      rest = new Map(controls().map(at => [at, ring(at)]));
    },
    here: () => { const at = document.activeElement;
      return at === document.body ? {name: "", amiss: [], works: []} : {name: name(at), amiss: amiss(at), works: works(at)} },
    listen: () => { heard = false },
    heard: () => heard,
  };
})();
