// What costs money is paid once, however often its answer is lost.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { baseURI: "http://gateway.test/sora/" };
const { paid } = await import("../../static/js/api.js");

/** Stands in for fetch: answers each sending with the next of `answers`, an Error being a lost line. */
function line(...answers) {
  const sent = [];
  const exchange = async (url, { method, headers, body }) => {
    sent.push({ url: String(url), method, key: headers["idempotency-key"], body });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  };
  return { sent, exchange };
}

const MADE = { status: 202, body: { videoId: "video_1" } };
const BROKEN = { status: 503, body: { error: { code: "unavailable", message: "Later." } } };
const REFUSED = { status: 402, body: { error: { code: "insufficient_credits", message: "Too few." } } };
const wish = { prompt: "a boat" };

test("what was not answered is sent again under its key, and what was answered under another one", async () => {
  const { sent, exchange } = line(new TypeError("lost"), BROKEN, MADE, MADE);
  await assert.rejects(paid("api/video/tasks", wish, { exchange }), { code: "network" });
  await assert.rejects(paid("api/video/tasks", wish, { exchange }), { code: "unavailable" });
  assert.deepEqual(await paid("api/video/tasks", wish, { exchange }), MADE.body);
  await paid("api/video/tasks", wish, { exchange });
  const [lost, broken, made, again] = sent.map(({ key }) => key);
  assert.equal(lost, broken);
  assert.equal(lost, made);
  assert.notEqual(made, again);
  assert.equal(sent[0].url, "http://gateway.test/sora/api/video/tasks");
  assert.equal(sent[0].body, JSON.stringify(wish));
});

test("a refusal is an answer, and another wish another purchase", async () => {
  const { sent, exchange } = line(REFUSED, MADE, MADE);
  await assert.rejects(paid("api/video/tasks", wish, { exchange }), { code: "insufficient_credits", status: 402 });
  await paid("api/video/tasks", wish, { exchange });
  await paid("api/video/tasks", { ...wish, seconds: 8 }, { exchange });
  assert.equal(new Set(sent.map(({ key }) => key)).size, 3);
});
