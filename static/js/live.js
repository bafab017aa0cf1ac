// The one live connection: a WebSocket that follows all my jobs, comes back by itself, and says how it is.

import { socketAddress } from "./api.js";

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;
const BUSY_DELAY_MS = 10_000;
const OPEN_TIMEOUT_MS = 10_000;
const PONG_TIMEOUT_MS = 5_000;
const HIDDEN_FLUSH_MS = 500;

const CLOSE = {
  NORMAL: 1000, BAD_MESSAGE: 1008, TOO_BIG: 1009, LIMIT_REACHED: 1013,
  EXPIRED: 4001, RESYNC: 4002, TOO_MANY_MESSAGES: 4003, NOT_AUTHENTICATED: 4401, FORBIDDEN: 4403,
};
const SIGNED_OUT = new Set([CLOSE.EXPIRED, CLOSE.NOT_AUTHENTICATED, CLOSE.FORBIDDEN]);
const FINAL = new Set([CLOSE.NORMAL, CLOSE.BAD_MESSAGE, CLOSE.TOO_BIG]);
const BUSY = new Set([CLOSE.LIMIT_REACHED, CLOSE.TOO_MANY_MESSAGES]);

/** Opens the connection and keeps it.
 *
 * handlers:
 *   state(word)           "connecting" | "live" | "reconnecting" | "offline" | "stopped"
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
  let socket = null;
  let cursor = null;
  let attempts = 0;
  let timer = 0;
  let watchdog = 0;
  let heartbeatMs = 30_000;
  let heard = 0;
  let pinged = 0;
  let fresh = true;
  let live = false;
  let stopped = false;
  const inbox = inboxOf((list) => handlers.updates(list));

  function open() {
    clearTimeout(timer);
    timer = 0;
    const opened = new WebSocket(socketAddress());
    socket = opened;
    heard = performance.now();
    pinged = 0;
    opened.onmessage = (event) => opened === socket && receive(JSON.parse(event.data));
    opened.onclose = (event) => opened === socket && closed(event.code);
    clearInterval(watchdog);
    watchdog = setInterval(watch, 1_000);
  }

  function receive(message) {
    heard = performance.now();
    pinged = 0;
    switch (message.type) {
      case "ready":
        heartbeatMs = message.heartbeat * 1_000;
        fresh = cursor === null;
        send({ type: "subscribe", all: true, ...(cursor !== null && { since: cursor }) });
        break;
      case "reset":
        fresh = true;
        break;
      case "subscribed":
        inbox.flush();
        if (fresh) handlers.snapshot(message.tasks);
        else handlers.tasks(message.tasks);
        // With an honoured cursor the missed updates are still to come: only they move it on.
        if (fresh || cursor === null) cursor = message.cursor;
        fresh = false;
        live = true;
        attempts = 0;
        handlers.state("live");
        break;
      case "update":
        cursor = message.cursor;
        inbox.put(message);
        break;
    }
  }

  function closed(code) {
    socket = null;
    clearInterval(watchdog);
    inbox.flush();
    if (stopped) return;
    if (SIGNED_OUT.has(code)) {
      stop("stopped");
      handlers.signedOut();
    } else if (FINAL.has(code)) {
      stop("stopped");
    } else {
      if (code === CLOSE.RESYNC) {
        cursor = null;
        handlers.changed();
      }
      again(BUSY.has(code) ? BUSY_DELAY_MS : 0);
    }
  }

  function again(atLeastMs) {
    handlers.state(navigator.onLine ? "reconnecting" : "offline");
    if (!live) handlers.down();
    live = false;
    const ceiling = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempts++);
    // Full jitter: after a restart not everybody comes back in the same moment.
    timer = setTimeout(open, atLeastMs + Math.random() * ceiling);
  }

  /** A dead network closes nothing by itself: silence is answered with a ping, and more silence with an end. */
  function watch() {
    const now = performance.now();
    if (!live) {
      if (now - heard > OPEN_TIMEOUT_MS) abandon();
    } else if (pinged) {
      if (now - pinged > PONG_TIMEOUT_MS) abandon();
    } else if (now - heard > 2 * heartbeatMs) {
      ping();
    }
  }

  function ping() {
    pinged = performance.now();
    send({ type: "ping" });
  }

  function abandon() {
    const old = socket;
    socket = null;
    old?.close();
    closed(0);
  }

  function send(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  /** The network came or went, or somebody looks at the page again: ask now instead of waiting.
   *  What the browser says of the network is only a hint: a gateway on this machine needs none. */
  function look() {
    if (document.hidden) return;
    if (live) {
      ping();
    } else if (timer) {
      attempts = 0;
      open();
    }
  }

  function stop(word) {
    stopped = true;
    clearTimeout(timer);
    clearInterval(watchdog);
    removeEventListener("online", look);
    removeEventListener("offline", look);
    document.removeEventListener("visibilitychange", look);
    const old = socket;
    socket = null;
    old?.close(CLOSE.NORMAL);
    handlers.state(word);
  }

  addEventListener("online", look);
  addEventListener("offline", look);
  document.addEventListener("visibilitychange", look);
  handlers.state("connecting");
  open();
  return () => stopped || stop("stopped");
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
