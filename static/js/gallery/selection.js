// Which videos are chosen, and how the keyboard and a range choose them; plain values, nothing of the page.

/** `ids` in their order, `chosen` a Set. Choosing one with `range` takes everything from `anchor` to it. */
export function toggled(chosen, id, { ids = [], anchor = null, range = false } = {}) {
  const next = new Set(chosen);
  const [from, to] = [ids.indexOf(anchor), ids.indexOf(id)];
  if (range && from >= 0 && to >= 0) {
    for (const each of ids.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(each);
    return next;
  }
  if (!next.delete(id)) next.add(id);
  return next;
}

/** Which one an arrow key leads to, in rows of `columns`; null when the key leads nowhere. */
export function moved(ids, id, key, columns) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -Infinity, End: Infinity }[key];
  const at = ids.indexOf(id);
  if (step === undefined || at < 0) return null;
  const next = Math.abs(step) === Infinity ? (step < 0 ? 0 : ids.length - 1) : at + step;
  return ids[next] ?? null;
}
