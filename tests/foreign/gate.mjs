// Whoever comes while it is closed waits until it is opened.
export function gate() {
  let open = true
  const waiting = []
  return {
    passed: () => (open ? undefined : new Promise((go) => waiting.push(go))),
    turn(wanted) {
      open = wanted
      if (open) waiting.splice(0).forEach((go) => go())
      return { open }
    },
  }
}
