// Who is led through the first steps, and where they begin.

import assert from "node:assert/strict";
import { test } from "node:test";

const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
const { beginsHere, endFirstSteps } = await import("../../static/js/first.js");
const { firstOwn, stepOf } = await import("../../static/js/welcome/steps.js");

const NEW = { hasPassword: false, video: undefined, simulator: true };

test("the first step that is not done comes first, unless the address names one", () => {
  assert.equal(stepOf(undefined, NEW), "account");
  assert.equal(stepOf(undefined, { ...NEW, hasPassword: true }), "video");
  assert.equal(stepOf(undefined, { ...NEW, hasPassword: true, video: "video_1" }), "upstream");
  assert.equal(stepOf(undefined, { ...NEW, hasPassword: true, simulator: false }), "upstream");
  assert.equal(stepOf("video", NEW), "video");
  assert.equal(stepOf("nonsense", NEW), "account");
});

test("the second step is about one's own first video: not a later one, nobody else's, and none that failed", () => {
  const task = (videoId, mine, status) => ({ videoId, mine, status });
  const tasks = [
    task("video_5", true, "processing"), task("video_4", false, "processing"), task("video_3", true, "completed"),
    task("video_2", true, "failed"), task("video_1", false, "completed"),
  ];
  assert.equal(firstOwn(tasks), "video_3");
  assert.equal(firstOwn(tasks.filter(({ mine }) => !mine)), undefined);
  assert.equal(firstOwn([]), undefined);
});

test("an administrator without a password is led there, until the steps were gone through once", () => {
  const me = (role, hasPassword) => ({ user: { role }, hasPassword });
  assert.ok(beginsHere(me("admin", false)));
  assert.ok(!beginsHere(me("admin", true)));
  assert.ok(!beginsHere(me("member", false)));
  endFirstSteps();
  assert.ok(!beginsHere(me("admin", false)));
});
