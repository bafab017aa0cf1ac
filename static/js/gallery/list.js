// The videos that the gallery shows: pages from the API, kept up to date by what the live connection tells, without
// moving anything under the reader's eyes.

import { batch, effect, signal, untracked } from "../../vendor/signals.js";
import { isEnded, job, order, session } from "../state.js";
import { videos } from "../video/api.js";
import { fits, queryOf } from "./filters.js";

const PAGE = 36;

/** `atTop()` tells whether new videos may be put in at once; otherwise they wait in `waiting` until `takeWaiting`.
 *  `ids`, `more`, `status` ({ loading, error }) and `waiting` are signals; `video(id)` is the signal of one. */
export function openList(filters, { atTop }) {
  const known = new Map();
  const watched = new Map();
  const hidden = new Set();
  const ids = signal([]);
  const waiting = signal([]);
  const more = signal(false);
  const status = signal({ loading: true, error: null });
  let closed = false;
  let begun = false; // Before the first page is here, nothing is newer than it.
  let last = null; // Of the pages so far: the next one begins after it.

  const newestFirst = (a, b) => {
    const [x, y] = [known.get(a).peek(), known.get(b).peek()];
    return x.createdAt < y.createdAt || (x.createdAt === y.createdAt && x.videoId < y.videoId) ? 1 : -1;
  };

  function put(task) {
    const before = known.get(task.videoId);
    if (!before) known.set(task.videoId, signal(task));
    else if (task.seq >= before.peek().seq) before.value = task;
    return !before;
  }

  function show(added) {
    const all = new Set([...ids.peek(), ...added]);
    ids.value = [...all].filter((id) => known.has(id) && !hidden.has(id)).sort(newestFirst);
  }

  function drop(id) {
    known.delete(id);
    ids.value = ids.peek().filter((other) => other !== id);
    waiting.value = waiting.peek().filter((other) => other !== id);
  }

  async function page(after) {
    status.value = { loading: true, error: null };
    try {
      const answer = await videos.list(queryOf(filters, { limit: PAGE, after }));
      if (closed) return;
      batch(() => {
        answer.tasks.forEach(put);
        show(answer.tasks.map((task) => task.videoId));
        last = answer.tasks.at(-1)?.videoId ?? last;
        more.value = answer.hasMore;
        status.value = { loading: false, error: null };
        if (!begun) begin();
      });
    } catch (error) {
      if (!closed) status.value = { loading: false, error };
    }
  }

  /** What the page knows from elsewhere may have come while the first page was on its way. */
  function begin() {
    begun = true;
    for (const id of order.peek()) consider(job(id).peek(), { now: true });
  }

  /** The newest page once more: what came or changed while nothing was told. Its failure changes nothing. */
  async function refresh() {
    try {
      const { tasks } = await videos.list(queryOf(filters, { limit: PAGE }));
      if (!closed) batch(() => tasks.forEach((task) => consider(task)));
    } catch {
      // The connection state above says it already.
    }
  }

  /** Takes in a task that the page knows from elsewhere. */
  function consider(task, { now = atTop() } = {}) {
    const id = task.videoId;
    if (known.has(id)) return void put(task); // It stays where it is, even if it would not be found any more.
    if (!begun || !fits(task, filters) || hidden.has(id)) return;
    const oldest = last && known.get(last)?.peek();
    if (oldest && more.peek() && task.createdAt < oldest.createdAt) return; // Comes with a later page.
    put(task);
    if (now) show([id]);
    else waiting.value = [...waiting.peek(), id];
  }

  const stop = effect(() => {
    const now = new Set(order.value);
    untracked(() => {
      const left = [...watched.keys()].filter((id) => !now.has(id));
      for (const id of left) {
        watched.get(id)();
        watched.delete(id);
      }
      const missed = left.filter((id) => known.has(id) && !hidden.has(id));
      if (missed.length && session.peek().status === "in") check(missed);
      for (const id of now) {
        if (!watched.has(id)) watched.set(id, effect(() => followed(id)));
      }
    });
  });

  function followed(id) {
    const task = job(id)?.value;
    if (task) untracked(() => consider(withFiles(task)));
  }

  /** An update of a finished video may come before its files are known: they are asked for. */
  function withFiles(task) {
    const before = known.get(task.videoId)?.peek();
    if (before && !isEnded(before) && task.status === "completed" && !task.videoUrl) {
      videos.get(task.videoId).then((whole) => !closed && put(whole), () => {});
    }
    return task;
  }

  /** They left the board: deleted, not shown any more, or only not among the newest. What would stand on the newest
   *  page and does not is gone; what is older is asked for by its id. */
  async function check(missed) {
    try {
      const { tasks, hasMore } = await videos.list(queryOf(filters, { limit: PAGE }));
      const oldest = hasMore ? tasks.at(-1).createdAt : "";
      const named = new Set(tasks.map((task) => task.videoId));
      batch(() => tasks.forEach((task) => consider(task)));
      for (const id of missed.filter((each) => !named.has(each) && known.has(each))) {
        if (known.get(id).peek().createdAt > oldest) drop(id);
        else put(await videos.get(id));
      }
    } catch {
      // Not reached: what is shown stays until the next look.
    }
  }

  page();
  return {
    ids, waiting, more, status, refresh, put, drop,
    video: (id) => known.get(id),
    loadMore: () => (status.peek().loading ? undefined : page(last)),
    again: () => page(last ?? undefined),
    takeWaiting() {
      show(waiting.peek());
      waiting.value = [];
    },
    /** Takes videos out of sight, or back into it. */
    hide(taken) {
      for (const id of taken) hidden.add(id);
      show([]);
    },
    unhide(given) {
      for (const id of given) hidden.delete(id);
      show(given);
    },
    close() {
      closed = true;
      stop();
      for (const end of watched.values()) end();
    },
  };
}
