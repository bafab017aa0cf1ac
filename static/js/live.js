// The page's one live connection: it follows all my videos, and hands their changes on once per drawn frame.

import { connect as follow } from "./sora-live.js";

const HIDDEN_FLUSH_MS = 500;

/** Opens the connection and keeps it.
 *
 * handlers:
 *   state(word, transport)  as in sora-live.js
 *   snapshot(tasks)       the newest tasks; what is not among them and not older is gone
 *   tasks(tasks)          tasks as they are now, beside what is known already
 *   updates(list)         changes in order, at most one call per drawn frame
 *   signedOut()           what it was opened with is not good any more; the connection has stopped
 *   changed()             who I am may have changed, such as my role; the connection comes back with a snapshot
 *   down()                the connection failed once more: a chance to look through the API instead
 *
 * Returns a function that stops it.
 */
export function connect(handlers) {
  const inbox = inboxOf((list) => handlers.updates(list));
  const { close } = follow({
    on: {
      state(word, transport) {
        inbox.flush();
        handlers.state(word, transport);
      },
      tasks(tasks, { fresh }) {
        inbox.flush();
        if (fresh) handlers.snapshot(tasks);
        else handlers.tasks(tasks);
      },
      update: inbox.put,
      resync: handlers.changed,
      failed: handlers.down,
      stopped: ({ reason }) => reason === "signed_out" && handlers.signedOut(),
    },
  });
  return close;
}

/** Collects messages and hands them on once per frame: a busy gateway must not draw a card hundreds of times. */
function inboxOf(deliver) {
  let waiting = [];
  let frame = 0;
  let timeout = 0;
  function flush() {
    cancelAnimationFrame(frame);
    clearTimeout(timeout);
    frame = timeout = 0;
    const list = waiting;
    waiting = [];
    if (list.length) deliver(list);
  }
  function put(message) {
    waiting.push(message);
    if (frame || timeout) return;
    frame = requestAnimationFrame(flush);
    timeout = setTimeout(flush, HIDDEN_FLUSH_MS); // A hidden tab draws no frames.
  }
  return { put, flush };
}
