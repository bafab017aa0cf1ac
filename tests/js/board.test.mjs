// What the page knows of jobs, and what the board shows of it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

globalThis.setInterval = () => 0; // The page's clock would keep this process.
const state = await import("../../static/js/state.js");
const { effect } = await import("../../static/vendor/signals.js");
const { ENDED_SHOWN, howFar, inScope, shelves } = await import("../../static/js/board/lists.js");
const { withEvent, withoutRuns } = await import("../../static/js/board/steps.js");
const { outageOf, waitText } = await import("../../static/js/board/words.js");
const { staleKind } = await import("../../static/js/views/connection.js");

const MINUTE = 60_000;
const NOON = Date.parse("2026-05-01T12:00:00Z");
const at = (minutes) => new Date(NOON + minutes * MINUTE).toISOString();

const task = (videoId, minutes, more = {}) => ({
  videoId, createdAt: at(minutes), status: "processing", stage: "processing", progress: 10, seq: 1, note: "", mine: true,
  upstream: "lab", visibility: "private", batchId: null, queuePosition: null, estimatedStartAt: null, completedAt: null, ...more,
});
const done = (videoId, minutes, more = {}) =>
  task(videoId, minutes - 5, { status: "completed", stage: "completed", progress: 100, completedAt: at(minutes), ...more });
const update = (videoId, seq, more = {}) => ({
  type: "update", cursor: "c", videoId, seq, status: "processing", stage: "processing", progress: 50, step: "progress",
  message: "Half of it.", timestamp: at(0), ...more,
});

/** How often something was drawn because of `look`. */
function drawings(look) {
  let count = -1;
  const end = effect(() => {
    look();
    count++;
  });
  return { count: () => count, end };
}

beforeEach(() => state.clear());

// --- what is known ---

test("an update redraws its own job and neither another one nor the list", () => {
  state.putTasks([task("a", 0), task("b", 1)]);
  const [a, b, list] = [() => state.job("a").value, () => state.job("b").value, () => state.shape.value].map(drawings);
  assert.ok(state.applyUpdate(update("a", 2)));
  assert.deepEqual([a.count(), b.count(), list.count()], [1, 0, 0]);
  assert.ok(state.applyUpdate(update("a", 3, { status: "completed", stage: "completed", step: "done" })));
  assert.equal(list.count(), 1, "it ended: it goes to another list");
  [a, b, list].forEach(({ end }) => end());
});

test("an update that is older than what is known changes nothing, and one of an unknown job is told of", () => {
  state.putTasks([task("a", 0, { seq: 5 })]);
  assert.ok(state.applyUpdate(update("a", 5)));
  assert.equal(state.job("a").peek().progress, 10);
  assert.equal(state.applyUpdate(update("z", 1)), false);
});

test("a job that got its place is in the queue no more", () => {
  state.putTasks([task("a", 0, { stage: "queued", status: "queued", queuePosition: 3, estimatedStartAt: at(2) })]);
  const turns = state.turns.peek();
  state.applyUpdate(update("a", 2, { stage: "submitting", step: "submitting" }));
  const { queuePosition, estimatedStartAt, submittedAt } = state.job("a").peek();
  assert.deepEqual([queuePosition, estimatedStartAt, submittedAt], [null, null, at(0)]);
  assert.equal(state.turns.peek(), turns + 1);
});

test("the same job once more, with its image signed anew, redraws nothing", () => {
  state.putTasks([task("a", 0, { referenceUrl: "x?signature=1" })]);
  const drawn = drawings(() => state.job("a").value);
  state.putTasks([task("a", 0, { referenceUrl: "x?signature=2" })]);
  assert.equal(drawn.count(), 0);
  state.putTasks([task("a", 0, { queuePosition: 2 })]);
  assert.equal(drawn.count(), 1, "its place changes without an event");
  drawn.end();
});

test("a fresh snapshot drops what is not in it, but not what is older than its last", () => {
  state.putTasks([task("old", -60), task("gone", 1), task("kept", 2, { seq: 9 })]);
  state.putSnapshot([task("new", 3), task("kept", 2, { seq: 4 }), task("first", 0)], 3);
  assert.deepEqual(state.order.peek(), ["new", "kept", "first", "old"]);
  assert.equal(state.job("kept").peek().seq, 4, "the database may be a restored one");
  state.putSnapshot([task("new", 3)], 3);
  assert.deepEqual(state.order.peek(), ["new"], "it is all that there is");
});

test("unfinished jobs that a list of them does not name are looked at again", () => {
  state.putTasks([task("a", 0), task("b", 0), done("c", 0), task("theirs", 0, { mine: false })]);
  assert.deepEqual(state.putUnfinished([task("a", 0, { queuePosition: 1 })], inScope("mine")), ["b"]);
  assert.equal(state.job("a").peek().queuePosition, 1);
});

test("whoever listens to a job is told its updates until they stop", () => {
  state.putTasks([task("a", 0), task("b", 0)]);
  const told = [];
  const stop = state.listen("a", ({ seq }) => told.push(seq));
  [update("a", 2), update("b", 2), update("a", 2), update("a", 3)].forEach(state.applyUpdate);
  stop();
  state.applyUpdate(update("a", 4));
  assert.deepEqual(told, [2, 3]);
});

test("what is shown is as old as the moment in which the connection broke, however often it is tried again", () => {
  state.setConnection("connecting", null);
  assert.equal(state.oldSince.peek(), null);
  state.setConnection("live", "websocket");
  state.setConnection("reconnecting", null);
  const since = state.oldSince.peek();
  assert.ok(since > 0);
  state.setConnection("connecting", null);
  state.setConnection("offline", null);
  assert.equal(state.oldSince.peek(), since);
  state.setConnection("polling", "polling");
  assert.equal(state.oldSince.peek(), null);
});

test("why the page may be old is told apart: offline, restarting, silent, or just broken off", () => {
  assert.equal(staleKind("offline", { status: 0, code: "network" }), "offline");
  assert.equal(staleKind("stopped", null), "stopped");
  assert.equal(staleKind("reconnecting", { status: 503, code: "unavailable" }), "restarting");
  assert.equal(staleKind("reconnecting", { status: 0, code: "network" }), "silent");
  assert.equal(staleKind("reconnecting", null), "reconnecting");
});

// --- what is shown of it ---

const shown = (tasks, scope = "mine", now = NOON) => shelves(tasks, { scope, now });

test("what goes on stands before what ended, the newest first, and what ended more than an hour ago nowhere", () => {
  const found = shown([task("a", -300), task("b", -1), done("c", -10), done("d", -2), done("e", -61)]);
  assert.deepEqual(found, { going: 2, singles: ["b", "a"], batches: [], ended: ["d", "c"], hidden: 0 });
});

test("what ended while the page looked stays, however long ago", () => {
  const failed = task("a", -600, { status: "failed", stage: "failed", endedAt: at(-200) });
  assert.deepEqual(shown([failed]).ended, ["a"]);
  assert.deepEqual(shown([{ ...failed, endedAt: undefined }]).ended, []);
});

test("the board has room for some of what ended and counts the rest", () => {
  const found = shown(Array.from({ length: ENDED_SHOWN + 3 }, (_, number) => done(`v${number}`, -number)));
  assert.deepEqual([found.ended.length, found.ended[0], found.hidden], [ENDED_SHOWN, "v0", 3]);
});

test("a batch stays together while any of it goes on, its oldest job first", () => {
  const batchId = "batch_1";
  const both = [task("a", -2, { batchId }), done("b", -1, { batchId })];
  assert.deepEqual(shown([...both, task("c", -3)]).batches, [{ batch: batchId, ids: ["b", "a"] }]);
  const ended = both.map((each) => done(each.videoId, -1, { batchId }));
  assert.deepEqual(shown(ended), { going: 0, singles: [], batches: [], ended: ["b", "a"], hidden: 0 });
  assert.deepEqual(shown([task("a", -2, { batchId })]).singles, ["a"], "one alone needs no group");
});

test("mine, the team's and everything that I see are told apart", () => {
  const tasks = [task("mine", 0), task("shared", 0, { visibility: "team" }), task("theirs", 0, { mine: false }),
    task("team", 0, { mine: false, visibility: "team" })];
  const ids = (scope) => shown(tasks, scope).singles.toSorted();
  assert.deepEqual(ids("mine"), ["mine", "shared"]);
  assert.deepEqual(ids("team"), ["shared", "team"]);
  assert.deepEqual(ids("visible"), ["mine", "shared", "team", "theirs"]);
});

test("a batch is as far as its videos are, those that are nowhere on the page too", () => {
  const here = [task("a", 0, { progress: 50 }), done("b", 0)];
  assert.deepEqual(howFar(here, null), { part: 0.75, counts: { processing: 1, completed: 1 }, videos: 2 });
  const counts = { processing: 1, completed: 3 };
  assert.deepEqual(howFar(here, { videos: 4, counts }), { part: 0.875, counts, videos: 4 });
});

// --- its words ---

test("steps come in order and once, and a run of progress is one step", () => {
  const step = (seq, name) => ({ seq, step: name });
  const before = [step(1, "accepted"), step(3, "progress")];
  const all = [step(2, "submitted"), step(4, "progress"), step(4, "progress"), step(5, "done")].reduce(withEvent, before);
  assert.deepEqual(all.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  assert.deepEqual(withoutRuns(all).map(({ seq }) => seq), [1, 2, 4, 5]);
});

test("only a job that waits for a place is told that its upstream is out of order", () => {
  const outages = { storageFull: false, upstreams: [{ upstream: "lab", cause: "switched_off", opensAt: null }] };
  assert.equal(outageOf(task("a", 0), outages), undefined);
  assert.equal(outageOf(task("a", 0, { stage: "queued" }), outages).cause, "switched_off");
  assert.equal(outageOf(task("a", 0, { stage: "queued", upstream: "other" }), outages), undefined);
  assert.equal(waitText(task("a", 0, { stage: "queued" }), outages), "outage.switched_off");
});

test("the gateway's sentence is told in the reader's words where there are some, and as it came otherwise", () => {
  assert.equal(waitText(task("a", 0, { note: "lab is busy; trying again." }), null), "note.busy");
  assert.equal(waitText(task("a", 0, { note: "lab is thinking." }), null), "lab is thinking.");
  assert.equal(waitText(task("a", 0, { overdue: true }), null), "card.overdue");
  assert.equal(waitText(task("a", 0), null), "");
});
