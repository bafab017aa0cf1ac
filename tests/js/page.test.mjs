// The page's own connection: what it makes of sora-live.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World, settle, subscribed, task, update } from "./world.js";

const world = new World();
const frames = [];
const listeners = { addEventListener() {}, removeEventListener() {} };
Object.assign(globalThis, listeners, {
  document: { ...listeners, baseURI: "http://gateway.test/sora/", hidden: false },
  WebSocket: world.surroundings.WebSocket,
  requestAnimationFrame: (draw) => frames.push(draw),
  cancelAnimationFrame: () => frames.splice(0),
});
const { connect } = await import("../../static/js/live.js");

test("the page draws once per frame what came in between, and begins anew only where it is told to", async () => {
  const told = [];
  const disconnect = connect({
    state: (word, transport) => told.push([word, transport]),
    snapshot: (tasks) => told.push(["snapshot", tasks.length]),
    tasks: (tasks) => told.push(["tasks", tasks.length]),
    updates: (list) => told.push(["updates", ...list.map(({ seq }) => seq)]),
    signedOut: () => told.push(["signed out"]),
    changed: () => told.push(["changed"]),
    down: () => told.push(["down"]),
  });
  await settle();
  assert.equal(world.socket.url, "ws://gateway.test/sora/ws");
  world.socket.greet();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", all: true }]);
  world.socket.say(subscribed("all", 10, [task("a", 1)]), update("a", 2, 11), update("a", 3, 12));
  assert.equal(frames.length, 1);
  frames[0]();
  world.socket.say(update("a", 4, 13));
  world.socket.drop(4401);
  assert.deepEqual(told, [
    ["connecting", null], ["snapshot", 1], ["live", "websocket"], ["updates", 2, 3],
    ["updates", 4], ["stopped", null], ["signed out"],
  ]);
  disconnect();
  assert.equal(told.length, 7);
});
