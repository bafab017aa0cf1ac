// How sora-live.js connects, comes back and ends, over sockets that the test plays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../static/js/sora-live.js";
import { World, cursor, notebook, settle, subscribed, task, update } from "./world.js";

const BASE = "http://gateway.test/sora";

/** A connection that follows everything, greeted and told of one video. */
async function live(options = {}) {
  const world = new World();
  const { told, on } = notebook();
  const connection = connect({ base: BASE, world: world.surroundings, on, ...options });
  await settle();
  world.socket.greet();
  world.socket.say(subscribed("all", 10, [task("a", 3)]));
  return { world, told, connection };
}

test("it says what it is doing, and tells what is there and what happens", async () => {
  const { world, told, connection } = await live();
  world.socket.say(update("a", 4, 11), update("b", 1, 12));
  assert.deepEqual(told.states, ["connecting", "live over websocket"]);
  assert.deepEqual(told.tasks, [["fresh", "a 3"]]);
  assert.deepEqual(told.updates, ["a 4", "b 1"]);
  assert.equal(world.socket.url, "ws://gateway.test/sora/ws");
  connection.close();
  assert.deepEqual([connection.state, world.socket.closedWith], ["stopped", 1000]);
});

test("a token is the first message, and a new one goes over the open connection", async () => {
  const { world, connection } = await live({ token: "sgw_1" });
  connection.authenticate("sgw_2");
  assert.deepEqual(world.socket.sent, [
    { type: "auth", token: "sgw_1" },
    { type: "subscribe", all: true },
    { type: "auth", token: "sgw_2" },
  ]);
});

test("a ticket is in the address instead, a new one for each connection", async () => {
  let made = 0;
  const { world } = await live({ ticket: async () => `ticket-${++made}` });
  world.socket.drop(1001);
  await world.clock.advance(500);
  assert.deepEqual(world.sockets.map(({ url }) => new URL(url).searchParams.get("ticket")), ["ticket-1", "ticket-2"]);
  assert.deepEqual(world.socket.sent, []);
});

test("after a break it comes back with the last cursor, and nothing is told twice", async () => {
  const { world, told } = await live();
  world.socket.say(update("a", 4, 11));
  world.socket.drop(1006);
  assert.equal(told.states.at(-1), "reconnecting");
  await world.clock.advance(500);
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", all: true, since: cursor(11) }]);
  // The snapshot is ahead; the missed updates follow it.
  world.socket.say(subscribed("all", 11, [task("a", 6)]), update("a", 4, 11), update("a", 5, 12), update("a", 6, 13));
  assert.deepEqual(told.tasks.at(-1), ["beside", "a 6"]);
  assert.deepEqual(told.updates, ["a 4", "a 5", "a 6"]);
});

test("a reset begins anew: what was told before does not count", async () => {
  const { world, told } = await live();
  world.socket.drop(1006);
  await world.clock.advance(500);
  world.socket.greet();
  const restored = "fedcba9876543210";
  world.socket.say({ type: "reset", cursor: cursor(2, restored), reason: "epoch" });
  world.socket.say({ ...subscribed("all", 2, [task("a", 1)]), cursor: cursor(2, restored) });
  world.socket.say({ ...update("a", 2, 3), cursor: cursor(3, restored) });
  assert.deepEqual(told.tasks.at(-1), ["fresh", "a 1"]);
  assert.deepEqual(told.updates, ["a 2"]);
});

test("each topic goes on from its own place", async () => {
  const topics = [{ videoId: "a" }, { externalVideoId: "up-1", pending: true }];
  const world = new World();
  const { told, on } = notebook();
  const connection = connect({ base: BASE, world: world.surroundings, topics, on });
  await settle();
  world.socket.greet();
  world.socket.say(subscribed("video:a", 10, [task("a", 1)]), subscribed("external:up-1", 10));
  connection.subscribe({ videoId: "c" });
  world.socket.say({ type: "error", topic: "video:c", code: "not_found", message: "None." });
  world.socket.say(update("a", 2, 11), subscribed("external:up-1", 12, [task("b", 1, { externalVideoId: "up-1" })]));
  world.socket.say(update("b", 2, 13));
  world.socket.drop(4000);
  await world.clock.advance(500);
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [
    { type: "subscribe", videoId: "a", since: cursor(11) },
    { type: "subscribe", externalVideoId: "up-1", pending: true, since: cursor(13) },
  ]);
  connection.unsubscribe(topics[1]);
  assert.deepEqual(world.socket.sent.at(-1), { type: "unsubscribe", externalVideoId: "up-1" });
  assert.deepEqual(told.updates, ["a 2", "b 2"]);
  assert.deepEqual(told.errors, ["not_found"]);
});

for (const [code, reason] of [[1000, "refused"], [1008, "refused"], [1009, "refused"], [4401, "signed_out"], [4403, "signed_out"], [4499, "signed_out"]]) {
  test(`it stays away after ${code}`, async () => {
    const { world, told, connection } = await live();
    world.socket.drop(code);
    await world.clock.advance(600_000);
    assert.deepEqual(told.stopped, { code, reason });
    assert.deepEqual([connection.state, world.sockets.length], ["stopped", 1]);
  });
}

for (const [code, least, most] of [[1001, 0, 500], [1012, 0, 2_000], [1013, 10_000, 10_500], [4000, 0, 500], [4003, 10_000, 10_500], [4399, 0, 500]]) {
  test(`it comes back after ${code}, ${least} to ${most} ms later`, async () => {
    for (const [chance, delay] of [[0, least], [1, most]]) {
      const { world } = await live();
      world.chance = chance;
      world.socket.drop(code);
      if (delay) await world.clock.advance(delay - 1);
      assert.equal(world.sockets.length, 1);
      await world.clock.advance(1);
      assert.equal(world.sockets.length, 2);
    }
  });
}

test("an expired credential is renewed, and it goes on where it was", async () => {
  let renewals = 0;
  const { world, told } = await live({ token: "old", renew: async () => (renewals++, "new") });
  world.socket.drop(4001);
  await settle();
  world.socket.open();
  assert.deepEqual([renewals, world.socket.sent], [1, [{ type: "auth", token: "new" }]]);
  world.socket.greet();
  assert.deepEqual(world.socket.sent.at(-1), { type: "subscribe", all: true, since: cursor(10) });
  assert.equal(told.stopped, null);
});

test("a credential that cannot be renewed, or is no better afterwards, is the end", async () => {
  for (const renew of [undefined, async () => Promise.reject(new Error("no")), async () => "as bad"]) {
    const { world, told } = await live({ renew });
    world.socket.drop(4001);
    await settle();
    world.socket.drop(4001);
    assert.deepEqual(told.stopped, { code: 4001, reason: "signed_out" });
  }
});

test("a new credential that ends in the same moment is not renewed again and again", async () => {
  let renewals = 0;
  const { world, told } = await live({ renew: async () => `new ${++renewals}` });
  for (let turn = 0; turn < 5 && told.stopped === null; turn++) {
    world.socket.drop(4001);
    await settle();
    if (told.stopped === null) world.socket.greet();
  }
  assert.deepEqual([renewals, told.stopped], [1, { code: 4001, reason: "signed_out" }]);
});

test("a credential that was good for a while is renewed each time", async () => {
  let renewals = 0;
  const { world, told } = await live({ renew: async () => `new ${++renewals}` });
  for (let turn = 0; turn < 3; turn++) {
    await world.clock.advance(6_000);
    world.socket.drop(4001);
    await settle();
    world.socket.greet();
    world.socket.say(subscribed("all", 10, [task("a", 3)]));
  }
  assert.deepEqual([renewals, told.stopped], [3, null]);
});

test("what is no message ends the connection, and it comes back with the cursor", async () => {
  const { world } = await live();
  world.socket.onmessage({ data: "<html>" });
  await world.clock.advance(500);
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", all: true, since: cursor(10) }]);
});

test("with other rights it comes back without a cursor", async () => {
  const { world, told } = await live();
  world.socket.drop(4002);
  await world.clock.advance(500);
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", all: true }]);
  assert.equal(told.resyncs, 1);
});

test("it waits longer after each failure, up to half a minute, and not once it was good for a while", async () => {
  const { world, told } = await live({ pace: { tries: Infinity } });
  world.socketsWork = false;
  world.socket.drop(1006);
  const began = [];
  for (let turn = 0; turn < 9; turn++) {
    const before = world.sockets.length;
    const from = world.clock.now;
    while (world.sockets.length === before) await world.clock.advance(100);
    began.push(world.clock.now - from);
  }
  assert.deepEqual(began, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(told.failures, 9);
  world.socketsWork = true;
  await world.clock.advance(30_000);
  world.socket.greet();
  world.socket.say(subscribed("all", 10));
  await world.clock.advance(5_000);
  const count = world.sockets.length;
  world.socket.drop(1006);
  await world.clock.advance(500);
  assert.equal(world.sockets.length, count + 1);
});

test("a silent network is noticed: a ping, and then an end", async () => {
  const { world, told } = await live();
  const [socket] = world.sockets;
  await world.clock.advance(31_000);
  assert.deepEqual(socket.sent.at(-1), { type: "ping" });
  socket.say({ type: "pong" });
  await world.clock.advance(31_000);
  await world.clock.advance(6_000);
  assert.equal(told.states.at(-1), "reconnecting");
  assert.equal(socket.closedWith, 1000);
});

test("a connection that is never greeted is given up", async () => {
  const world = new World();
  const { told, on } = notebook();
  connect({ base: BASE, world: world.surroundings, on });
  await settle();
  world.socket.open();
  await world.clock.advance(12_000);
  assert.ok(world.sockets.length > 1);
  assert.ok(told.states.includes("reconnecting"));
});

test("who looks at the page again does not wait, and a device without a network says so", async () => {
  const { world, told } = await live();
  world.online = false;
  world.socket.drop(1006);
  assert.equal(told.states.at(-1), "offline");
  world.hidden = true;
  world.look();
  assert.equal(world.sockets.length, 1);
  world.hidden = false;
  world.online = true;
  world.look();
  await settle();
  assert.equal(world.sockets.length, 2);
  world.socket.greet();
  world.socket.say(subscribed("all", 10));
  world.look();
  assert.deepEqual(world.socket.sent.at(-1), { type: "ping" });
});
