// The gallery's list: pages, what the live connection tells, what is taken out of sight.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "./world.js";

const asked = [];
let server = [];
globalThis.setInterval = () => 0; // The state's clocks, which would keep the process alive.
Object.assign(globalThis, {
  document: { baseURI: "http://gateway.test/sora/" },
  fetch: async (url, { method }) => {
    asked.push(`${method} ${url.pathname}`);
    const path = url.pathname.replace("/sora/api/video/tasks", "");
    const one = path && server.find((task) => path === `/${task.videoId}`);
    if (path && !one) return Response.json({ error: { code: "not_found", message: "" } }, { status: 404 });
    if (one) return Response.json(one);
    const after = url.searchParams.get("after");
    const fitting = server.filter((task) => (after ? task.videoId < after : true));
    const limit = Number(url.searchParams.get("limit"));
    return Response.json({ tasks: fitting.slice(0, limit), hasMore: fitting.length > limit });
  },
});

const { takeUpdates } = await import("../../static/js/actions.js");
const { readFilters } = await import("../../static/js/gallery/filters.js");
const { openList } = await import("../../static/js/gallery/list.js");
const state = await import("../../static/js/state.js");

const id = (number) => `video_${String(number).padStart(3, "0")}`;
const task = (number, change = {}) => ({
  videoId: id(number), externalVideoId: null, seq: 1, status: "completed", stage: "completed", model: "sora-2", tags: [],
  owner: { id: "user_ann" }, prompt: `Number ${number}`, mine: true, visibility: "private", videoUrl: "v", thumbnailUrl: "t",
  createdAt: new Date(Date.UTC(2026, 10, 22) + number * 1_000).toISOString(), ...change,
});

async function opened(count, { top = true, search = "" } = {}) {
  state.clear();
  state.setSession({ status: "in", user: { id: "user_ann", role: "member" } });
  server = Array.from({ length: count }, (_, at) => task(count - at));
  const view = { top };
  const list = openList(readFilters(new URLSearchParams(search)), { atTop: () => view.top });
  await settle();
  await settle();
  return { list, view };
}

test("pages follow each other without a gap, and the last one says so", async () => {
  const { list } = await opened(50);
  assert.equal(list.ids.value.length, 36);
  assert.equal(list.more.value, true);
  await list.loadMore();
  assert.deepEqual(list.ids.value, server.map((each) => each.videoId));
  assert.equal(list.more.value, false);
  list.close();
});

test("a new video is shown at once at the top, and waits while somebody looks further down", async () => {
  const { list, view } = await opened(3);
  state.putTasks([task(4, { status: "processing", stage: "processing" })]);
  assert.deepEqual(list.ids.value, [4, 3, 2, 1].map(id));
  view.top = false;
  state.putTasks([task(5), task(6)]);
  assert.deepEqual(list.ids.value, [4, 3, 2, 1].map(id));
  assert.equal(list.waiting.value.length, 2);
  list.takeWaiting();
  assert.deepEqual(list.ids.value, [6, 5, 4, 3, 2, 1].map(id));
  assert.deepEqual(list.waiting.value, []);
  list.close();
});

test("what the board knows already is nothing new to a list that opens", async () => {
  const { list: before } = await opened(2);
  before.close();
  state.putTasks([...server, task(3)]);
  const list = openList(readFilters(new URLSearchParams("")), { atTop: () => false });
  assert.deepEqual([list.ids.value, list.waiting.value], [[], []]);
  await settle();
  assert.deepEqual(list.ids.value, [3, 2, 1].map(id));
  assert.deepEqual(list.waiting.value, []);
  list.close();
});

test("a change redraws its video alone and leaves it where it is, even if it would not be found any more", async () => {
  const { list } = await opened(2, { search: "status=completed" });
  const ids = list.ids.value;
  state.putTasks([task(2, { seq: 5, status: "failed", stage: "failed" }), task(3, { status: "failed", stage: "failed" })]);
  assert.equal(list.ids.value, ids);
  assert.equal(list.video(id(2)).value.status, "failed");
  list.put(task(2, { seq: 4 }));
  assert.equal(list.video(id(2)).value.seq, 5);
  list.close();
});

test("what fits only later comes in when it does", async () => {
  const { list } = await opened(1, { search: "status=completed" });
  state.putTasks([task(2, { status: "processing", stage: "processing" })]);
  assert.deepEqual(list.ids.value, [id(1)]);
  state.putTasks([task(2, { seq: 2 })]);
  assert.deepEqual(list.ids.value, [id(2), id(1)]);
  list.close();
});

test("what was deleted elsewhere goes, without asking for what is not there", async () => {
  const { list } = await opened(3);
  state.putTasks(server);
  server = server.filter((each) => each.videoId !== id(2));
  asked.length = 0;
  state.removeJob(id(2));
  await settle();
  await settle();
  assert.deepEqual(list.ids.value, [id(3), id(1)]);
  assert.deepEqual(asked, ["GET /sora/api/video/tasks"]);
  list.close();
});

test("what is taken out of sight stays out while the list goes on, and comes back to its place", async () => {
  const { list } = await opened(40);
  list.hide([id(39), id(3)]);
  await list.loadMore();
  assert.equal(list.ids.value.length, 38);
  list.unhide([id(39), id(3)]);
  assert.deepEqual(list.ids.value, server.map((each) => each.videoId));
  list.close();
});

test("a video whose files went or were found again is asked for, because an update does not say why or until when", async () => {
  const gone = { seq: 2, videoUrl: null, filesRemovedAt: "2026-11-22T00:00:00Z", filesRemovedBecause: "missing" };
  server = [task(1)];
  state.clear();
  state.putTasks(server);
  const told = (seq, step, assets) => takeUpdates([{ type: "update", videoId: id(1), seq, step, status: "completed", stage: "completed", assets }]);
  server = [task(1, gone)];
  told(2, "removed", null);
  await settle();
  assert.equal(state.job(id(1)).peek().filesRemovedBecause, "missing");
  server = [task(1, { seq: 3, filesRemovedAt: null, filesRemovedBecause: null, expiresAt: "2027-01-01T00:00:00Z" })];
  told(3, "found", { videoUrl: "v2" });
  await settle();
  const { filesRemovedBecause, expiresAt } = state.job(id(1)).peek();
  assert.deepEqual([filesRemovedBecause, expiresAt], [null, "2027-01-01T00:00:00Z"]);
});
