// Live updates of a gateway, for its own page, for other pages and for Node: one module, nothing to install.
//
//   import { connect } from "./sora-live.js";
//   const live = connect({ base, token, topics: [{ all: true }], on: { tasks, update, state } });
//
// It opens a WebSocket, takes server-sent events where sockets do not get through, and asks every few seconds where
// those do not either; now and then it tries the better way again. After a break it comes back with the cursor of what
// was told last, so no update is missed and none is told twice.

const CLOSE = {
  NORMAL: 1000, BAD_MESSAGE: 1008, TOO_BIG: 1009, RESTARTING: 1012, LIMIT_REACHED: 1013,
  EXPIRED: 4001, RESYNC: 4002, TOO_MANY_MESSAGES: 4003, NOT_AUTHENTICATED: 4401, FORBIDDEN: 4403,
};
const FINAL = new Set([CLOSE.NORMAL, CLOSE.BAD_MESSAGE, CLOSE.TOO_BIG]);
const BUSY = new Set([CLOSE.LIMIT_REACHED, CLOSE.TOO_MANY_MESSAGES]);
const ENDED = new Set(["completed", "failed", "cancelled"]);
const LONGEST = 900; // Seconds; whoever in between says to stay away longer is not heeded, and timers have an end too.
const MAX_EVENT = 1 << 26; // Characters that are kept of an event that does not end.

/** Milliseconds, but for `tries`. */
const PACE = {
  firstDelay: 500,
  lastDelay: 30_000,
  busyDelay: 10_000, // After "too many": at least this long.
  restartDelay: 2_000, // A restarting gateway's readers come back spread over at least this long.
  openTimeout: 10_000, // Until something has to be heard of a new connection.
  pongTimeout: 5_000,
  heartbeat: 30_000, // Until the gateway says its own.
  lasting: 5_000, // A connection that lasted so long was a good one.
  tries: 2, // Failures of one way before the next is tried.
  firstProbe: 60_000, // After which a better way is tried again, and twice as long after each failure ...
  lastProbe: 600_000, // ... up to this.
  poll: 5_000,
};

/** Follows videos and keeps following them.
 *
 * options:
 *   base      the gateway's address; without it the page's own
 *   token     an API key, or an (async) function that gives one for each connection; without it the browser's cookie.
 *             On a WebSocket it is the first message.
 *   ticket    true: a ticket is made with the token for each WebSocket, so that a cookie of the gateway beside it does
 *             not count. A function: gives a ticket for each connection, for pages that have no token; those cannot poll.
 *   topics    [{ all: true } | { videoId, log } | { externalVideoId, pending, log }], more with subscribe()
 *   renew     async function called when the credential has expired; with a token it gives the new one. Without it an
 *             expired credential is the end.
 *   pace      other times than PACE
 *   world     other surroundings than the browser's or Node's; see surroundings()
 *   on        what to call, each of them optional:
 *     state(word, transport)   "connecting" | "live" | "polling" | "reconnecting" | "offline" | "idle" | "stopped", and
 *                              "websocket" | "sse" | "polling" | null. "idle": all that was followed has ended.
 *     tasks(tasks, { topic, fresh })   videos as they are now. `fresh`: this is where it begins, or begins anew; what
 *                              was told before does not count. Not fresh: the missed updates follow, though older.
 *     update(update)           one change; for each video in order, none twice
 *     log(message)             the steps so far of a video that is followed with `log: true`; on WebSockets only
 *     error({ topic, code, message })   the topic is not followed, because there is no such video for example
 *     resync()                 what I may see may have changed; fresh tasks follow
 *     failed()                 an attempt to connect led to nothing
 *     stopped({ code, reason })        it is over: a close code, and "signed_out" | "refused" | "closed"
 *
 * Returns { state, transport, subscribe(topic), unsubscribe(topic), authenticate(token), close() }.
 */
export function connect(options = {}) {
  const on = options.on ?? {};
  const pace = { ...PACE, ...options.pace };
  const world = { ...surroundings(), ...options.world };
  const topics = new Map();
  const known = new Map(); // From a video's id to the number of its last told change.
  const ladder = waysOf(options, world);

  let token = options.token;
  let way = 0; // Of the ladder: the one in use, or to be tried next.
  let failures = 0; // Of this way, one after the other.
  let away = false; // More than the best way failed since something worked: the best one is tried again as soon as one does.
  let attempts = 0; // Since a connection was a good one.
  let line = null;
  let better = null; // A line of a better way that is being tried.
  let timer = 0;
  let prober = 0;
  let probeDelay = pace.firstProbe;
  let liveSince = null;
  let resetSeen = false;
  let renewed = false; // Since a connection was a good one.
  let stopped = false;
  let state = null;
  let transport = null;

  const shared = {
    pace, world, topics, known, options, told, update, alive, fail,
    address: (path) => new URL(path, baseOf(options)),
    token: async () => (typeof token === "function" ? token() : token),
    ticket: ticketOf,
    request,
  };

  function say(word) {
    const now = line !== null && (word === "live" || word === "polling") ? ladder[way] : null;
    if (word === state && now === transport) return;
    [state, transport] = [word, now];
    on.state?.(word, now);
  }

  // --- lines ---

  function start(which) {
    const opened = LINES[ladder[which]](shared, {
      up: () => up(opened, which),
      message: (message) => opened === line && receive(message),
      ended: (end) => ended(opened, end),
    });
    return opened;
  }

  function open() {
    world.clearTimeout(timer);
    timer = 0;
    liveSince = null;
    resetSeen = false;
    for (const topic of topics.values()) topic.attached = false;
    line = start(way);
  }

  /** The line works: it may be told what to follow. */
  function up(which, rung) {
    if (which === better) {
      const old = line;
      world.clearTimeout(timer);
      [line, better, way, failures, timer] = [which, null, rung, 0, 0];
      liveSince = null;
      old?.close();
      for (const topic of topics.values()) topic.attached = false;
    } else if (which !== line) return;
    which.begin();
  }

  function alive() {
    if (liveSince === null) liveSince = world.now();
    say(ladder[way] === "polling" ? "polling" : "live");
    if (way > 0 && (!prober || away)) {
      if (away) probeDelay = 0;
      away = false;
      world.clearTimeout(prober);
      prober = world.setTimeout(probe, probeDelay);
    } else if (way === 0) {
      forgetProbes();
    }
  }

  function forgetProbes() {
    world.clearTimeout(prober);
    prober = 0;
    probeDelay = pace.firstProbe;
    better?.close();
    better = null;
  }

  function probe() {
    world.clearTimeout(prober);
    prober = 0;
    if (better || line === null || way === 0) return;
    better = start(0);
  }

  function ended(which, end) {
    if (which === better) {
      better = null;
      // Sockets are still not let through; events may be by now.
      const next = ladder.indexOf(which.kind) + 1;
      if (line && next < way) {
        better = start(next);
      } else {
        probeDelay = probeDelay ? Math.min(pace.lastProbe, probeDelay * 2) : pace.firstProbe;
        if (line && !prober) prober = world.setTimeout(probe, probeDelay);
      }
      return;
    }
    if (which !== line || stopped) return;
    line = null;
    const lasted = liveSince !== null && world.now() - liveSince >= pace.lasting;
    if (lasted) {
      attempts = 0;
      renewed = false; // A new credential that ends in the same moment is no reason to ask for another, again and again.
    }
    const { code } = end;
    if (end.done) return say("idle");
    if (code === CLOSE.EXPIRED && canRenew()) return renew();
    if (code === CLOSE.EXPIRED || (code >= 4400 && code <= 4499)) return stop({ code, reason: "signed_out" });
    if (FINAL.has(code)) return stop({ code, reason: "refused" });
    if (code === CLOSE.RESYNC) {
      beginAnew();
      on.resync?.();
    }
    if (BUSY.has(code)) return again(Math.max(pace.busyDelay, end.after ?? 0));
    if (code === CLOSE.RESTARTING) return again(0, pace.restartDelay);
    // What broke without a word after a moment does not work: a proxy in between, perhaps. Without a network nothing
    // does, which says nothing of this way.
    if (!end.said && world.isOnline()) {
      failures = lasted ? 0 : failures + 1;
      if (way > 0) away = true; // Not only the best way: perhaps nobody was there.
    }
    if (failures >= pace.tries) [way, failures] = [(way + 1) % ladder.length, 0];
    again(end.after ?? 0);
  }

  function again(atLeast, spread = 0) {
    say(world.isOnline() ? "reconnecting" : "offline");
    if (liveSince === null) on.failed?.();
    liveSince = null;
    world.clearTimeout(prober);
    prober = 0;
    // Full jitter: after a restart not everybody comes back in the same moment.
    const ceiling = Math.max(spread, Math.min(pace.lastDelay, pace.firstDelay * 2 ** attempts++));
    timer = world.setTimeout(open, atLeast + world.random() * ceiling);
  }

  const canRenew = () => !renewed && (typeof options.renew === "function" || typeof token === "function");

  async function renew() {
    say("reconnecting");
    renewed = true;
    try {
      const given = await options.renew?.();
      if (typeof given === "string") token = given;
    } catch {
      return stop({ code: CLOSE.EXPIRED, reason: "signed_out" });
    }
    if (!stopped && line === null) open();
  }

  // --- what is told ---

  function receive(message) {
    switch (message.type) {
      case "reset":
        resetSeen = true;
        known.clear();
        break;
      case "subscribed": {
        const topic = topics.get(message.topic);
        if (!topic) break;
        const fresh = resetSeen || topic.cursor === null || topic.cursor !== message.cursor;
        resetSeen = false;
        told(topic, message.tasks, fresh);
        topic.cursor = message.cursor;
        topic.attached = true;
        alive();
        break;
      }
      case "update":
        update(message);
        break;
      case "log":
        on.log?.(message);
        break;
      case "error":
        fail(message);
        break;
    }
  }

  /** `newest`: nothing that these tasks know of already will be told. */
  function told(topic, tasks, fresh, newest = fresh) {
    for (const task of tasks) {
      topic.videos.add(task.videoId);
      if (newest) known.set(task.videoId, task.seq);
    }
    if (tasks.length || fresh) on.tasks?.(tasks, { topic: topic.wish, fresh });
  }

  /** `everywhere`: it came on a line that tells everything in one order, so every topic is as far. */
  function update(message, everywhere = false) {
    let wanted = false;
    for (const topic of topics.values()) {
      const concerned = concerns(topic, message);
      wanted ||= concerned;
      if (topic.attached && (everywhere || concerned)) topic.cursor = later(topic.cursor, message.cursor);
    }
    if (!wanted || message.seq <= (known.get(message.videoId) ?? 0)) return;
    known.set(message.videoId, message.seq);
    on.update?.(message);
  }

  function fail({ topic: name, code, message }) {
    const topic = topics.get(name);
    if (name) topics.delete(name);
    on.error?.({ topic: topic?.wish ?? null, code, message });
    alive();
  }

  function beginAnew() {
    for (const topic of topics.values()) topic.cursor = null;
  }

  // --- credentials ---

  async function ticketOf() {
    if (typeof options.ticket === "function") return options.ticket();
    if (!options.ticket) return null;
    const answer = await request("api/stream-tickets", { method: "POST" });
    return (await answer.json()).ticket;
  }

  /** Raises an End. */
  async function request(path, { method = "GET", headers = {}, signal, ticket = null } = {}) {
    const url = shared.address(path);
    if (ticket !== null) url.searchParams.set("ticket", ticket);
    const bearer = ticket === null ? await shared.token() : undefined;
    const answer = await world.fetch(url.href, {
      method, signal, cache: "no-store", credentials: bearer === undefined ? "same-origin" : "omit",
      headers: { ...headers, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) },
    });
    if (answer.ok) return answer;
    throw await endOf(answer);
  }

  // --- from outside ---

  /** The network came or went, or somebody looks at the page again: ask now instead of waiting. What the browser says of
   *  the network is only a hint: a gateway on this machine needs none. */
  function look() {
    if (world.isHidden()) return;
    if (line) {
      line.look();
      if (way > 0 && world.isOnline()) probe();
    } else if (timer) {
      attempts = 0;
      open();
    }
  }

  function subscribe(wish) {
    const name = nameOf(wish);
    if (stopped || topics.has(name)) return;
    const topic = { name, wish, cursor: null, attached: false, videos: new Set() };
    topics.set(name, topic);
    if (line) line.subscribe(topic);
    else if (state === "idle") open();
  }

  function unsubscribe(wish) {
    const topic = topics.get(nameOf(wish));
    topics.delete(nameOf(wish));
    if (topic) line?.unsubscribe(topic);
  }

  function authenticate(fresh) {
    token = fresh;
    line?.authenticate?.(fresh);
  }

  function stop(why) {
    stopped = true;
    for (const each of [timer, prober]) world.clearTimeout(each);
    forget();
    const old = line;
    line = null;
    old?.close();
    better?.close();
    better = null;
    say("stopped");
    on.stopped?.(why);
  }

  const forget = world.onLook(look);
  for (const wish of options.topics ?? [{ all: true }]) subscribe(wish);
  say("connecting");
  open();
  return {
    get state() { return state; },
    get transport() { return transport; },
    subscribe,
    unsubscribe,
    authenticate,
    close: () => stopped || stop({ code: CLOSE.NORMAL, reason: "closed" }),
  };
}

/** What it touches of the browser or of Node; each can be given instead. `onLook(call)` calls when the network comes or
 *  goes or the page is looked at, and returns what ends that. */
function surroundings() {
  const { navigator, document } = globalThis;
  return {
    WebSocket: globalThis.WebSocket,
    fetch: (...given) => globalThis.fetch(...given),
    now: () => performance.now(),
    random: Math.random,
    setTimeout: (call, delay) => setTimeout(call, delay),
    clearTimeout: (id) => clearTimeout(id),
    isOnline: () => navigator?.onLine !== false,
    isHidden: () => document?.hidden === true,
    onLook(call) {
      if (!document) return () => {};
      const heard = [[globalThis, "online"], [globalThis, "offline"], [document, "visibilitychange"]];
      for (const [where, name] of heard) where.addEventListener(name, call);
      return () => heard.forEach(([where, name]) => where.removeEventListener(name, call));
    },
  };
}

const LINES = { websocket: socketLine, sse: streamLine, polling: pollLine };

/** The ways that there are here, the best first. */
function waysOf(options, world) {
  return [
    ...(world.WebSocket ? ["websocket"] : []),
    "sse",
    ...(typeof options.ticket === "function" && options.token === undefined ? [] : ["polling"]),
  ];
}

function baseOf({ base }) {
  return base === undefined ? document.baseURI : String(base).replace(/\/?$/, "/");
}

const nameOf = ({ videoId, externalVideoId }) =>
  videoId !== undefined ? `video:${videoId}` : externalVideoId !== undefined ? `external:${externalVideoId}` : "all";

const idOf = ({ wish }) => wish.videoId ?? wish.externalVideoId;

const pathOf = (topic) => `api/video/tasks/${encodeURIComponent(idOf(topic))}`;

const concerns = (topic, { videoId, externalVideoId }) =>
  topic.name === "all" || topic.videos.has(videoId) || [videoId, externalVideoId].includes(idOf(topic));

const numberOf = (cursor) => BigInt(cursor.split("-")[1]);

function later(one, other) {
  if (one === null || one.split("-")[0] !== other.split("-")[0]) return other;
  return numberOf(other) > numberOf(one) ? other : one;
}

/** How a line ended: `code` as a WebSocket's close code, `said` whether the gateway itself said so, `after` how many
 *  milliseconds to stay away, `done` whether there is nothing more to come; `status` and `error` of an HTTP answer. */
class End {
  constructor(what) {
    Object.assign(this, what);
    this.code ??= 0;
  }
}

const endFor = (reason) => (reason instanceof End ? reason : new End());

/** The end that an answer over HTTP means. Only the gateway's own words stop anything: a proxy that forbids does not
 *  know who may see what. */
async function endOf(answer) {
  const error = await answer.json().then((body) => body?.error, () => undefined);
  const words = typeof error?.code === "string" ? { error, said: true } : {};
  const seconds = parseInt(answer.headers.get("retry-after") ?? "", 10);
  const after = seconds > 0 ? Math.min(LONGEST, seconds) * 1_000 : undefined;
  if (answer.status === 429 || (answer.status === 503 && words.said)) return new End({ code: CLOSE.LIMIT_REACHED, after, ...words });
  const code = words.said ? { 401: CLOSE.EXPIRED, 403: CLOSE.FORBIDDEN }[answer.status] : undefined;
  return new End({ code, status: answer.status, after, ...words });
}

// --- WebSocket ---

function socketLine({ pace, world, topics, address, token, ticket, options }, { up, message, ended }) {
  let socket = null;
  let over = false;
  let heard = world.now();
  let pinged = 0;
  let ready = false;
  let heartbeat = pace.heartbeat;
  let timer = world.setTimeout(watch, 1_000);

  async function open() {
    const [given, first] = await Promise.all([ticket(), options.ticket ? undefined : token()]);
    if (over) return;
    const url = address("ws");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (given !== null) url.searchParams.set("ticket", given);
    socket = new world.WebSocket(url.href);
    socket.onopen = () => first !== undefined && send({ type: "auth", token: first });
    socket.onmessage = (event) => over || hear(event.data);
    socket.onclose = (event) => end(new End({ code: event.code, said: event.code >= 4000 }));
    socket.onerror = () => end(new End()); // In browsers a close follows that says no more; in Node sometimes nothing.
  }

  function hear(text) {
    let got;
    try {
      got = JSON.parse(text);
    } catch {
      return end(new End()); // What it was is not known; the cursor brings it again.
    }
    receive(got);
  }

  function receive(got) {
    heard = world.now();
    pinged = 0;
    if (got.type !== "ready") return message(got);
    heartbeat = got.heartbeat * 1_000;
    if (ready) return; // A renewed credential is greeted again.
    ready = true;
    up();
  }

  /** A dead network closes nothing by itself: silence is answered with a ping, and more silence with an end. */
  function watch() {
    timer = world.setTimeout(watch, 1_000);
    const now = world.now();
    if (!ready) {
      if (now - heard > pace.openTimeout) end(new End());
    } else if (pinged) {
      if (now - pinged > pace.pongTimeout) end(new End());
    } else if (now - heard > 2 * heartbeat) ping();
  }

  function ping() {
    if (!ready) return;
    pinged = world.now();
    send({ type: "ping" });
  }

  function send(what) {
    if (socket?.readyState === 1) socket.send(JSON.stringify(what));
  }

  function follow({ wish, cursor }) {
    send({ type: "subscribe", ...wish, ...(cursor !== null && { since: cursor }) });
  }

  function close() {
    over = true;
    world.clearTimeout(timer);
    socket?.close(CLOSE.NORMAL);
  }

  function end(how) {
    if (over) return;
    close();
    ended(how);
  }

  open().catch((reason) => end(endFor(reason)));
  return {
    kind: "websocket",
    begin: () => topics.forEach(follow),
    look: ping,
    subscribe: (topic) => ready && follow(topic),
    unsubscribe: ({ wish }) => {
      const { pending, log, ...named } = wish;
      send({ type: "unsubscribe", ...named });
    },
    authenticate: (fresh) => send({ type: "auth", token: fresh }),
    close,
  };
}

// --- server-sent events ---

/** By fetch and not by EventSource, which tells neither what a refusal says nor that the line is still alive. */
function streamLine({ pace, world, topics, ticket, known, told, update, alive, fail, request }, { up, message, ended }) {
  let over = false;
  let hears = false;
  let aborter = null;
  let timer = 0;
  let only = null; // The topic whose own stream it is; null for the stream of everything.
  let since = null; // Where it began.
  let place = null; // The cursor of the stream of everything.

  function open() {
    hears = false;
    aborter?.abort();
    aborter = new AbortController();
    listen(aborter).catch(failed(aborter));
  }

  const failed = (mine) => (reason) => {
    if (mine !== aborter || over) return;
    if (only && reason?.status === 404 && reason.error) {
      fail({ topic: only.name, ...reason.error });
      return topics.size ? open() : end(new End({ done: true }));
    }
    end(endFor(reason));
  };

  async function listen(mine) {
    expect(pace.openTimeout);
    const wanted = [...topics.values()];
    if (wanted.length === 0) return end(new End({ done: true }));
    only = wanted.length === 1 && !wanted[0].wish.pending && wanted[0].name !== "all" ? wanted[0] : null;
    since = only ? only.cursor : earliest(wanted);
    const given = await ticket();
    const answer = await request(only ? `${pathOf(only)}/stream` : "api/events/stream", {
      signal: mine.signal,
      ticket: given,
      headers: { accept: "text/event-stream", ...(since !== null && { "last-event-id": since }) },
    });
    if (mine !== aborter || over) return;
    if (answer.status === 204) return end(new End({ done: true }));
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) throw new End();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser((data) => take(JSON.parse(data)));
    for (;;) {
      const { done, value } = await reader.read();
      if (mine !== aborter || over) return;
      if (done) break;
      expect(1.5 * pace.heartbeat);
      if (!hears) {
        hears = true;
        up();
      }
      parse(value);
      if (mine !== aborter || over) return;
    }
    // The end of one video's stream, or a stream that has become old.
    end(new End(only?.ended ? { done: true } : { said: hears }));
  }

  function take(got) {
    if (only) {
      if (got.type === "subscribed") {
        only.ended = got.tasks.some((task) => ENDED.has(task.status));
        return message({ ...got, topic: only.name });
      }
      message(got);
      if (got.type === "update" && ENDED.has(got.status)) only.ended = true;
      return;
    }
    if (got.type === "update") {
      place = got.cursor;
      return update(got, true);
    }
    if (got.type === "reset") {
      for (const topic of topics.values()) topic.cursor = null;
      return message(got);
    }
    if (got.type !== "subscribed") return message(got);
    place = got.cursor;
    const all = topics.get("all");
    // Another topic may have had to begin earlier.
    if (all) message(got.cursor === since ? { ...got, cursor: all.cursor ?? since } : got);
    alive();
    for (const topic of topics.values()) if (topic.name !== "all") snapshot(topic);
  }

  /** The stream of everything says nothing of one topic by itself: it is asked for, while its updates are heard. */
  async function snapshot(topic, mine = aborter) {
    const begun = place;
    topic.attached = true;
    if (topic.cursor !== null) return;
    try {
      const task = await (await request(pathOf(topic), { signal: mine.signal })).json();
      if (mine !== aborter || over) return;
      topic.cursor ??= begun;
      topic.videos.add(task.videoId);
      if (task.seq >= (known.get(task.videoId) ?? 0)) told(topic, [task], true);
    } catch (reason) {
      if (mine !== aborter || over) return;
      if (reason?.status !== 404) {
        topic.cursor = null;
        return failed(mine)(reason);
      }
      topic.cursor ??= begun;
      if (!topic.wish.pending) fail({ topic: topic.name, ...reason.error });
    }
  }

  function expect(within) {
    world.clearTimeout(timer);
    timer = world.setTimeout(() => end(new End()), within);
  }

  function close() {
    over = true;
    world.clearTimeout(timer);
    aborter?.abort();
  }

  function end(how) {
    if (over) return;
    close();
    ended(how);
  }

  open();
  return {
    kind: "sse",
    begin() {},
    look() {},
    subscribe: (topic) => (hears && only === null && topic.name !== "all" ? snapshot(topic) : open()),
    unsubscribe: (topic) => topic === only && open(),
    close,
  };
}

/** Where a stream of everything has to begin so that no topic that was told something misses anything. */
function earliest(topics) {
  const places = topics.map((topic) => topic.cursor).filter((cursor) => cursor !== null);
  const epochs = new Set(places.map((cursor) => cursor.split("-")[0]));
  if (epochs.size !== 1) return null;
  return places.reduce((one, other) => (numberOf(other) < numberOf(one) ? other : one));
}

/** Returns a function that takes the text of a `text/event-stream` piece by piece and calls `take` with each event's data. */
function eventParser(take) {
  let rest = "";
  let data = [];
  let size = 0;
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    size += text.length;
    if (size > MAX_EVENT) throw new End();
    for (const raw of lines) {
      const line = raw.replace(/\r$/, "");
      if (line === "") size = rest.length;
      if (line === "" && data.length) {
        const whole = data.join("\n");
        data = [];
        take(whole);
      } else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
  };
}

// --- polling ---

function pollLine({ pace, world, topics, told, alive, fail, request }, { up, ended }) {
  const aborter = new AbortController();
  let over = false;
  let timer = 0;
  let asking = false;
  let first = true;

  async function round() {
    if (asking || over) return;
    asking = true;
    world.clearTimeout(timer);
    timer = world.setTimeout(() => end(new End()), pace.openTimeout);
    try {
      for (const topic of [...topics.values()]) await ask(topic);
      if (over) return;
      if (first) up();
      first = false;
      alive();
    } catch (reason) {
      return end(endFor(reason));
    } finally {
      asking = false;
      world.clearTimeout(timer);
    }
    if (!over) timer = world.setTimeout(round, pace.poll * (0.75 + world.random() / 2));
  }

  async function ask(topic) {
    try {
      const answer = await request(topic.name === "all" ? "api/video/tasks?limit=100" : pathOf(topic), { signal: aborter.signal });
      const body = await answer.json();
      if (over || topics.get(topic.name) !== topic) return;
      // What is asked now is never older than what was told before.
      told(topic, topic.name === "all" ? body.tasks : [body], first && topic.cursor === null, true);
    } catch (reason) {
      if (reason?.status !== 404 || !reason.error) throw reason;
      if (!over && !topic.wish.pending) fail({ topic: topic.name, ...reason.error });
    }
  }

  function close() {
    over = true;
    world.clearTimeout(timer);
    aborter.abort();
  }

  function end(how) {
    if (over) return;
    close();
    ended(how);
  }

  world.setTimeout(round, 0);
  return { kind: "polling", begin() {}, look: round, subscribe: round, unsubscribe() {}, close };
}
