// Deleting that can be taken back: nothing is deleted before the time to think is over, or the page is left.

const DELAY_MS = 8_000;

/** `commit(ids, leaving)` deletes for good; `changed(pending)` is told what waits: null or { ids, until }. The timers
 *  are handed in by tests. Only one delete waits at a time: the next one sends it off. */
export function undoQueue({ commit, changed, delay = DELAY_MS, now = Date.now, set = setTimeout, clear = clearTimeout }) {
  let pending = null;
  let timer = 0;
  function take() {
    clear(timer);
    const taken = pending;
    pending = null;
    if (taken) changed(null);
    return taken?.ids ?? [];
  }
  function flush({ leaving = false } = {}) {
    const ids = take();
    if (ids.length) commit(ids, leaving);
  }
  return {
    put(ids) {
      flush();
      pending = { ids: [...ids], until: now() + delay };
      timer = set(() => flush(), delay);
      changed(pending);
    },
    /** Gives back what had been put last. */
    undo: take,
    /** Deletes now what waits. `leaving`: the page goes away, and no answer will be seen. */
    flush,
  };
}
