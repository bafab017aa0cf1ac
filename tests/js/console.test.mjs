// The console's requests and code, from a description like the gateway's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { exampleOf, jsonFault, operationsOf, requestOf } from "../../static/js/console/operations.js";
import { LANGUAGES, liveCode, python, requestCode } from "../../static/js/console/snippets.js";
import { streamOf, subscribeOf } from "../../static/js/console/topics.js";

const DESCRIPTION = {
  paths: {
    "/api/things/{id}": {
      post: {
        operationId: "make", tags: ["things"], summary: "Make it",
        parameters: [
          { name: "id", in: "path", required: true },
          { name: "limit", in: "query" },
          { name: "Idempotency-Key", in: "header" },
        ],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Wish" } } } },
      },
      get: { operationId: "see", tags: ["things"] },
    },
  },
  components: {
    schemas: {
      Wish: {
        type: "object", required: ["prompt", "count", "kind", "parts"],
        properties: {
          prompt: { type: "string" }, count: { type: "integer", minimum: 2 }, kind: { $ref: "#/components/schemas/Kind" },
          parts: { type: "array", minItems: 1, items: { anyOf: [{ type: "null" }, { type: "boolean" }] } },
          note: { type: "string" }, size: { type: "string", examples: ["1280x720"] },
        },
      },
      Kind: { enum: ["a", "b"] },
    },
  },
};
const [SEE, MAKE] = operationsOf(DESCRIPTION);

test("an example has what must be there and what has an example, and nothing else", () => {
  assert.equal(SEE.body, null);
  assert.deepEqual(JSON.parse(MAKE.body), { prompt: "", count: 2, kind: "a", parts: [false], size: "1280x720" });
});

test("a schema that contains itself comes to an end", () => {
  const endless = { components: { schemas: {} } };
  endless.components.schemas.Node = { type: "object", required: ["next"], properties: { next: { $ref: "#/components/schemas/Node" } } };
  assert.equal(typeof exampleOf({ $ref: "#/components/schemas/Node" }, endless), "object");
});

test("parameters go where they belong, and those that are missing are named", () => {
  assert.deepEqual(requestOf(MAKE, {}).missing, ["id"]);
  const values = { id: "a/b", limit: "2", "Idempotency-Key": "k" };
  assert.deepEqual(requestOf(MAKE, { values, body: "{}", key: "sgw_x" }), {
    method: "POST", path: "api/things/a%2Fb?limit=2", body: "{}", missing: [],
    headers: { authorization: "Bearer sgw_x", "content-type": "application/json", "idempotency-key": "k" },
  });
});

test("what is no JSON is said before it is sent", () => {
  assert.equal(jsonFault('{"a": 1}'), null);
  assert.equal(jsonFault("  "), null);
  assert.match(jsonFault("{"), /JSON/);
});

test("no code has the key in it", () => {
  const request = requestOf(MAKE, { values: { id: "1" }, body: '{"a": true}', key: "sgw_secret" });
  for (const language of LANGUAGES) {
    const code = requestCode(language, "https://gateway.test/", request);
    assert.ok(code.includes("https://gateway.test/api/things/1"), language);
    assert.ok(!code.includes("sgw_secret"), language);
    assert.ok(code.includes("SORA_GATEWAY_KEY"), language);
  }
});

test("quotes survive a shell, and values are Python's own words", () => {
  const request = { method: "POST", path: "x", headers: {}, body: JSON.stringify({ prompt: "it's" }) };
  assert.ok(requestCode("curl", "http://h/", request).includes(`'{"prompt":"it'\\''s"}'`));
  assert.equal(python({ a: [true, null, 1], b: {} }), '{\n    "a": [True, None, 1],\n    "b": {},\n}');
});

test("the message and the stream ask for the same", () => {
  const one = { topic: "videoId", id: "video 1", since: "c", log: true, pending: true };
  assert.deepEqual(subscribeOf(one), { type: "subscribe", videoId: "video 1", since: "c", log: true });
  assert.equal(streamOf(one), "api/video/tasks/video%201/stream?since=c&log=true");
  const all = { topic: "all", id: "", since: "", log: true, pending: false };
  assert.deepEqual(subscribeOf(all), { type: "subscribe", all: true });
  assert.equal(streamOf(all), "api/events/stream");
  for (const language of LANGUAGES) {
    for (const transport of ["websocket", "sse"]) {
      const code = liveCode(language, "https://gateway.test/", { transport, subscribe: subscribeOf(all), path: streamOf(all) });
      const socket = transport === "websocket" && language !== "curl";
      assert.ok(code.includes(socket ? "wss://gateway.test/ws" : "https://gateway.test/api/events/stream"));
    }
  }
});
