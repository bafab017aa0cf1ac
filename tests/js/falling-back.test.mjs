// What sora-live.js does where sockets, or streams, do not get through.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../static/js/sora-live.js";
import { Events, World, cursor, json, notebook, proxyPage, refusal, settle, subscribed, task, update } from "./world.js";

const BASE = "http://gateway.test";

/** A connection where no socket opens. `answer` is as in World. */
function withoutSockets(answer, options = {}) {
  const world = new World();
  world.socketsWork = false;
  world.answer = answer;
  const { told, on } = notebook();
  const connection = connect({ base: BASE, world: world.surroundings, on, ...options });
  return { world, told, connection };
}

/** Every stream that is asked for; anything else is what `tasks` answers. */
function streaming(tasks = () => refusal(404)) {
  const streams = [];
  const answer = (request) => {
    if (!request.path.includes("/stream")) return tasks(request);
    streams.push(Object.assign(new Events(), { request }));
    return streams.at(-1).response;
  };
  return { streams, answer };
}

test("where two handshakes fail it takes the event stream, and says so", async () => {
  const { streams, answer } = streaming();
  const { world, told, connection } = withoutSockets(answer, { token: "sgw_1" });
  await world.clock.advance(2_000);
  assert.equal(world.sockets.length, 2);
  assert.equal(world.asked[0].path, "/api/events/stream");
  assert.equal(world.asked[0].headers.authorization, "Bearer sgw_1");
  streams[0].write("retry: 3000\n\n");
  streams[0].say(subscribed("all", 10, [task("a", 3)]), update("a", 4, 11));
  await settle();
  assert.deepEqual(told.states.at(-1), "live over sse");
  assert.deepEqual([told.tasks, told.updates], [[["fresh", "a 3"]], ["a 4"]]);
  connection.close();
  assert.equal(world.asked[0].signal.aborted, true);
});

test("events that are cut into pieces are put together", async () => {
  const { streams, answer } = streaming();
  const { world, told } = withoutSockets(answer);
  await world.clock.advance(2_000);
  streams[0].say(subscribed("all", 10));
  const text = `: still here\n\nid: x\r\nevent: update\r\ndata: ${JSON.stringify(update("ä", 1, 11))}\r\n\r\n`;
  for (const byte of new TextEncoder().encode(text)) streams[0].controller.enqueue(new Uint8Array([byte]));
  for (let turn = 0; turn < 30; turn++) await settle();
  assert.deepEqual(told.updates, ["ä 1"]);
});

test("a stream that breaks or becomes old is taken up where it ended", async () => {
  const { streams, answer } = streaming();
  const { world, told } = withoutSockets(answer);
  await world.clock.advance(2_000);
  streams[0].say(subscribed("all", 10, [task("a", 3)]), update("a", 4, 11));
  await settle();
  streams[0].break();
  await world.clock.advance(4_000);
  assert.equal(streams[1].request.headers["last-event-id"], cursor(11));
  streams[1].say(subscribed("all", 11, [task("a", 5)]), update("a", 5, 12));
  await settle();
  streams[1].end();
  await world.clock.advance(8_000);
  assert.equal(streams[2].request.headers["last-event-id"], cursor(12));
  assert.deepEqual(told.updates, ["a 4", "a 5"]);
});

test("one video has a stream of its own, and when that ends there is nothing to come back for", async () => {
  const { streams, answer } = streaming();
  const { world, told, connection } = withoutSockets(answer, { topics: [{ videoId: "a/b" }] });
  await world.clock.advance(2_000);
  assert.equal(world.asked[0].path, "/api/video/tasks/a%2Fb/stream");
  streams[0].say(subscribed("video:x", 10, [task("x", 3)]), update("x", 4, 11, { status: "completed" }));
  await settle();
  streams[0].end();
  await world.clock.advance(300_000);
  assert.deepEqual([connection.state, told.updates, streams.length], ["idle", ["x 4"], 1]);
  connection.subscribe({ videoId: "c" });
  await settle();
  assert.equal(streams[1].request.path, "/api/events/stream");
});

test("several topics share the stream of everything, and hear of nothing else", async () => {
  const { streams, answer } = streaming(({ path }) => (path.endsWith("/b") ? json(task("b", 7)) : refusal(404)));
  const topics = [{ videoId: "b" }, { externalVideoId: "up-1", pending: true }, { videoId: "gone" }];
  const { world, told, connection } = withoutSockets(answer, { topics });
  await world.clock.advance(2_000);
  streams[0].say(subscribed("all", 10, [task("z", 1)]));
  await settle();
  assert.deepEqual([told.tasks, told.errors], [[["fresh", "b 7"]], ["not_found"]]);
  streams[0].say(update("z", 2, 11), update("b", 7, 12), update("b", 8, 13));
  streams[0].say(update("q", 2, 14, { externalVideoId: "up-1" }));
  await settle();
  assert.deepEqual(told.updates, ["b 8", "q 2"]);
  connection.subscribe({ videoId: "b" });
  streams[0].break();
  await world.clock.advance(4_000);
  assert.equal(streams[1].request.headers["last-event-id"], cursor(14));
});

test("a stream from which nothing comes, or nothing any more, is given up", async () => {
  const { streams, answer } = streaming();
  const { world, told } = withoutSockets(answer);
  await world.clock.advance(2_000);
  await world.clock.advance(13_000);
  assert.equal(streams.length, 2);
  streams[1].say(subscribed("all", 10));
  await settle();
  assert.equal(told.states.at(-1), "live over sse");
  await world.clock.advance(45_000);
  assert.equal(told.states.at(-1), "reconnecting");
});

test("where streams do not get through either it asks, and says so", async () => {
  let seq = 3;
  const { world, told } = withoutSockets(({ path }) =>
    path.includes("stream") ? proxyPage(502) : json({ tasks: [task("a", seq)], hasMore: false }),
  );
  await world.clock.advance(15_000);
  assert.equal(told.states.at(-1), "polling over polling");
  const asked = world.asked.length;
  seq = 4;
  await world.clock.advance(6_250);
  assert.equal(world.asked.length, asked + 1);
  assert.deepEqual([told.tasks[0], told.tasks.at(-1)], [["fresh", "a 3"], ["beside", "a 4"]]);
});

test("who polls for one video hears that there is none", async () => {
  const { world, told } = withoutSockets(({ path }) => (path.includes("stream") ? proxyPage(403) : refusal(404)), {
    topics: [{ videoId: "gone" }],
  });
  await world.clock.advance(15_000);
  assert.deepEqual(told.errors, ["not_found"]);
});

test("a gateway that is away is asked for in every way, and the best comes first again", async () => {
  const { world, told } = withoutSockets(() => null);
  await world.clock.advance(200_000);
  assert.ok(world.asked.some(({ path }) => path.includes("stream")) && world.asked.some(({ path }) => path.includes("limit")));
  assert.ok(!told.states.some((word) => word.includes("over")));
  world.socketsWork = true;
  for (let turn = 0; turn < 60 && world.socket.readyState !== 0; turn++) await world.clock.advance(5_000);
  world.socket.greet();
  world.socket.say(subscribed("all", 10));
  assert.equal(told.states.at(-1), "live over websocket");
});

test("the better way is tried again, and taken over without a gap", async () => {
  const { streams, answer } = streaming();
  const { world, told } = withoutSockets(answer);
  await world.clock.advance(2_000);
  streams[0].say(subscribed("all", 10, [task("a", 3)]));
  const beat = async (turns) => {
    for (let turn = 0; turn < turns; turn++) {
      streams.at(-1).write(": still here\n\n");
      await world.clock.advance(15_000);
    }
  };
  await beat(5); // The first probe is after a minute, and fails.
  assert.equal(world.sockets.length, 3);
  world.socketsWork = true;
  for (let second = 0; second < 150 && world.sockets.length < 4; second++) {
    streams[0].write(": still here\n\n");
    await world.clock.advance(1_000); // The next one is after two minutes more.
  }
  assert.equal(world.sockets.length, 4);
  streams[0].say(update("a", 4, 11));
  await settle();
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", all: true, since: cursor(11) }]);
  world.socket.say(subscribed("all", 11, [task("a", 5)]), update("a", 5, 12));
  assert.equal(told.states.at(-1), "live over websocket");
  assert.deepEqual(told.updates, ["a 4", "a 5"]);
  assert.equal(world.asked[0].signal.aborted, true);
});

test("from polling it climbs to the stream where sockets still do not get through", async () => {
  let through = false;
  const { streams, answer } = streaming(() => json({ tasks: [task("a", 3)], hasMore: false }));
  const { world, told } = withoutSockets((request) =>
    through || !request.path.includes("stream") ? answer(request) : proxyPage(502),
  );
  await world.clock.advance(15_000);
  assert.equal(told.states.at(-1), "polling over polling");
  through = true;
  for (let turn = 0; turn < 30 && !streams.length; turn++) await world.clock.advance(5_000);
  streams[0].say(subscribed("all", 10, [task("a", 4)]), update("a", 5, 11));
  await settle();
  assert.equal(told.states.at(-1), "live over sse");
  assert.deepEqual(told.updates, ["a 5"]);
});

test("a gateway that was away for a while is asked for a socket as soon as it answers again", async () => {
  let away = true;
  const { world, told } = withoutSockets(() => (away ? proxyPage(502) : json({ tasks: [task("a", 3)], hasMore: false })));
  await world.clock.advance(20_000);
  const before = world.sockets.length;
  away = false;
  world.socketsWork = true;
  for (let turn = 0; turn < 40 && world.sockets.length === before; turn++) await world.clock.advance(1_000);
  assert.ok(world.sockets.length > before);
  assert.ok(told.states.length > 0);
});

test("only the gateway's own word ends it: its 401 does, a proxy's 403 does not", async () => {
  const refused = withoutSockets(() => refusal(401, "invalid_api_key"), { token: "sgw_1" });
  await refused.world.clock.advance(2_000);
  assert.deepEqual(refused.told.stopped, { code: 4001, reason: "signed_out" });
  const forbidden = withoutSockets(() => refusal(403, "scope_missing"), { token: "sgw_1" });
  await forbidden.world.clock.advance(2_000);
  assert.deepEqual(forbidden.told.stopped, { code: 4403, reason: "signed_out" });
  const between = withoutSockets(() => proxyPage(403));
  await between.world.clock.advance(60_000);
  assert.equal(between.told.stopped, null);
});

test("a busy gateway is left alone for as long as it asks", async () => {
  const { world } = withoutSockets(() => refusal(429, "rate_limited", { "retry-after": "40" }));
  await world.clock.advance(2_000);
  assert.equal(world.asked.length, 1);
  await world.clock.advance(39_000);
  assert.equal(world.asked.length, 1);
  await world.clock.advance(31_000);
  assert.equal(world.asked.length, 2);
});

test("nothing in between sends it away for ever, nor for longer than a timer has room for", async () => {
  const { world } = withoutSockets(() => refusal(503, "unavailable", { "retry-after": "9999999" }));
  await world.clock.advance(2_000);
  assert.equal(world.asked.length, 1);
  await world.clock.advance(890_000);
  assert.equal(world.asked.length, 1);
  await world.clock.advance(60_000);
  assert.equal(world.asked.length, 2);
});

test("a ticket of the token's is made for each socket", async () => {
  const world = new World();
  let made = 0;
  world.answer = ({ path, method, headers }) => {
    assert.deepEqual([path, method, headers.authorization], ["/api/stream-tickets", "POST", "Bearer sgw_1"]);
    return json({ ticket: `t${++made}`, expiresAt: "" });
  };
  connect({ base: BASE, token: "sgw_1", ticket: true, world: world.surroundings });
  await settle();
  assert.equal(world.socket.url, "ws://gateway.test/ws?ticket=t1");
  world.socket.open();
  assert.deepEqual(world.socket.sent, []);
});

test("without sockets at all, as in an old Node, the stream is the best way", async () => {
  const { streams, answer } = streaming();
  const world = new World();
  world.answer = answer;
  const { told, on } = notebook();
  connect({ base: BASE, world: { ...world.surroundings, WebSocket: undefined }, on });
  await settle();
  streams[0].say(subscribed("all", 10));
  await settle();
  assert.deepEqual(told.states, ["connecting", "live over sse"]);
});

test("a handshake that fails without a close, as in some versions of Node, is a failure", async () => {
  const world = new World();
  connect({ base: BASE, world: world.surroundings });
  await settle();
  world.socket.onerror({});
  await world.clock.advance(500);
  assert.equal(world.sockets.length, 2);
});

test("without a network a failed handshake says nothing of sockets: it keeps trying them", async () => {
  const world = new World();
  world.socketsWork = false;
  world.online = false;
  const { told, on } = notebook();
  const connection = connect({ base: BASE, world: world.surroundings, on });
  await world.clock.advance(60_000);
  assert.ok(world.sockets.length > 3);
  assert.deepEqual(world.asked, []);
  assert.equal(told.states.at(-1), "offline");
  connection.close();
});
