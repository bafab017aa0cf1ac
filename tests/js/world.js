// A world for sora-live.js without a network: a manual clock, sockets and answers that a test writes.

export class Clock {
  now = 0;
  #timers = new Map();
  #next = 1;

  setTimeout = (call, delay) => {
    this.#timers.set(this.#next, { call, at: this.now + delay });
    return this.#next++;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  /** Lets `ms` pass; what is due in between happens at its moment. */
  async advance(ms) {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].call();
      await settle();
    }
    this.now = end;
  }
}

/** Until every promise that can go on has gone on. */
export async function settle() {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class World {
  clock = new Clock();
  online = true;
  hidden = false;
  chance = 1; // What Math.random would say.
  sockets = [];
  asked = []; // Every request over HTTP: { path, headers, method, url }.
  answer = () => refusal(404); // From such a request to a Response, or a promise of one.
  socketsWork = true;

  get surroundings() {
    const world = this;
    return {
      WebSocket: class extends FakeSocket {
        constructor(url) {
          super(url);
          world.sockets.push(this);
          if (!world.socketsWork) queueMicrotask(() => this.drop(1006));
        }
      },
      fetch: async (url, options) => {
        const { pathname, search } = new URL(url);
        const request = { path: pathname + search, ...options };
        world.asked.push(request);
        const answer = await world.answer(request);
        if (!(answer instanceof Response)) throw new TypeError("fetch failed");
        return answer;
      },
      now: () => world.clock.now,
      random: () => world.chance,
      setTimeout: world.clock.setTimeout,
      clearTimeout: world.clock.clearTimeout,
      isOnline: () => world.online,
      isHidden: () => world.hidden,
      onLook(call) {
        world.look = call;
        return () => (world.look = () => {});
      },
    };
  }

  look = () => {};

  get socket() {
    return this.sockets.at(-1);
  }
}

class FakeSocket {
  readyState = 0;
  sent = [];
  closedWith = null;

  constructor(url) {
    this.url = url;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  // --- what the gateway does ---

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(...messages) {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** Opens and greets. */
  greet() {
    this.open();
    this.say({ type: "ready", cursor: cursor(0), heartbeat: 15 });
  }
}

export const cursor = (seq, epoch = "0123456789abcdef") => `${epoch}-${seq}`;

export const task = (videoId, seq, more = {}) => ({ videoId, externalVideoId: null, status: "processing", seq, ...more });

export const subscribed = (topic, at, tasks = []) => ({ type: "subscribed", topic, cursor: cursor(at), tasks });

export const update = (videoId, seq, at, more = {}) => ({ ...task(videoId, seq, more), type: "update", cursor: cursor(at) });

/** An error in the gateway's words. */
export const refusal = (status, code = "not_found", headers = {}) =>
  new Response(JSON.stringify({ error: { code, message: `It says ${code}.` } }), { status, headers });

export const json = (body) => new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });

/** A page that a proxy answers with. */
export const proxyPage = (status) => new Response("<html>No.</html>", { status });

/** A stream of events that a test writes: `response` is the answer. */
export class Events {
  constructor() {
    this.response = new Response(
      new ReadableStream({ start: (controller) => (this.controller = controller) }),
      { headers: { "content-type": "text/event-stream" } },
    );
  }

  write(text) {
    this.controller.enqueue(new TextEncoder().encode(text));
  }

  say(...messages) {
    for (const message of messages) this.write(`id: ${message.cursor}\nevent: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`);
  }

  end() {
    this.controller.close();
  }

  break() {
    this.controller.error(new TypeError("terminated"));
  }
}

/** Calls for `on` that write down what they were told. */
export function notebook() {
  const told = { states: [], tasks: [], updates: [], errors: [], stopped: null, resyncs: 0, failures: 0 };
  const on = {
    state: (word, transport) => told.states.push(transport ? `${word} over ${transport}` : word),
    tasks: (tasks, { fresh }) => told.tasks.push([fresh ? "fresh" : "beside", ...tasks.map((each) => `${each.videoId} ${each.seq}`)]),
    update: (each) => told.updates.push(`${each.videoId} ${each.seq}`),
    error: (error) => told.errors.push(error.code),
    stopped: (why) => (told.stopped = why),
    resync: () => told.resyncs++,
    failed: () => told.failures++,
  };
  return { told, on };
}
