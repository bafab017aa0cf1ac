// What the gallery makes of addresses, film strips, deletes that wait, and choices.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, isNarrowed, queryOf, readFilters, writeFilters } from "../../static/js/gallery/filters.js";
import { moved, toggled } from "../../static/js/gallery/selection.js";
import { frameAt, gridOf, placeOf } from "../../static/js/gallery/sheet.js";
import { undoQueue } from "../../static/js/gallery/undo.js";

const read = (text) => readFilters(new URLSearchParams(text));
const EMPTY = read("");

const TASK = {
  videoId: "video_1", status: "completed", model: "sora-2", tags: ["rain", "boats"], owner: { id: "user_ann" },
  prompt: "A Paper boat, Über alles", createdAt: "2026-11-22T12:00:00.000Z", mine: true, visibility: "private",
};

test("filters go into the address and come back as they were", () => {
  const text = "status=completed&status=failed&model=wan&tag=rain&tag=%E9%9B%A8&owner=user_1&q=paper+boat&since=2026-11-01&until=2026-11-22&scope=team";
  const filters = read(text);
  assert.equal(new URLSearchParams(writeFilters(filters)).toString(), text);
  assert.deepEqual(read(new URLSearchParams(writeFilters(filters)).toString()), filters);
});

test("what an address says and nobody knows is left out", () => {
  const filters = read("status=eaten&status=failed&status=failed&scope=world&since=yesterday&until=2026-13-40&tag=&play=video_1");
  assert.deepEqual(filters, { ...EMPTY, status: ["failed"] });
  assert.deepEqual(writeFilters(EMPTY), []);
  assert.equal(isNarrowed(EMPTY), false);
  assert.equal(isNarrowed({ ...EMPTY, scope: "mine" }), false);
  assert.equal(isNarrowed({ ...EMPTY, q: "x" }), true);
});

test("days are asked for from midnight to midnight of the reader, the last one included", () => {
  const query = queryOf({ ...EMPTY, since: "2026-11-01", until: "2026-11-22" }, { limit: 36, after: "video_9" });
  assert.equal(query.get("since"), new Date(2026, 10, 1).toISOString());
  assert.equal(query.get("until"), new Date(2026, 10, 23).toISOString());
  assert.equal(query.get("after"), "video_9");
  assert.equal(query.get("limit"), "36");
  assert.equal(queryOf(EMPTY, { limit: 5 }).toString(), "limit=5");
});

test("a new video is put into the list exactly if the API would find it", () => {
  const cases = [
    ["", true], ["status=completed", true], ["status=failed", false], ["status=failed&status=completed", true],
    ["model=sora-2", true], ["model=wan", false], ["tag=rain", true], ["tag=rain&tag=boats", true], ["tag=rain&tag=snow", false],
    ["owner=user_ann", true], ["owner=user_bob", false], ["q=PAPER", true], ["q=plane", false],
    // The API folds Latin letters only.
    ["q=%C3%BCber", false], ["q=%C3%9Cber", true], ["scope=mine", true], ["scope=team", false],
    ["since=2026-11-20", true], ["since=2026-11-24", false], ["until=2026-11-24", true], ["until=2026-11-20", false],
  ];
  for (const [text, expected] of cases) assert.equal(fits(TASK, read(text)), expected, text);
});

test("the shape of a film strip follows from its size and the video's", () => {
  assert.deepEqual(gridOf({ width: 960, height: 216 }, "1280x720"), { columns: 5, rows: 2 });
  assert.deepEqual(gridOf({ width: 540, height: 384 }, "720x1280"), { columns: 5, rows: 2 });
  assert.deepEqual(gridOf({ width: 960, height: 384 }, "1080x1080"), { columns: 5, rows: 2 });
  assert.deepEqual(gridOf({ width: 960, height: 220 }, "1792x1024"), { columns: 5, rows: 2 });
  // One that could be cut in several ways, and one that cannot be cut at all.
  assert.equal(gridOf({ width: 960, height: 960 }, "1024x1024"), null);
  assert.equal(gridOf({ width: 101, height: 97 }, "1280x720"), null);
});

test("the frame under the pointer is the one of that part of the video, from edge to edge", () => {
  const grid = { columns: 5, rows: 2 };
  assert.deepEqual([-1, 0, 0.09, 0.1, 0.55, 0.999, 1, 2].map((part) => frameAt(part, grid)), [0, 0, 0, 1, 5, 9, 9, 9]);
  assert.deepEqual(placeOf(0, grid), { "--columns": 5, "--rows": 2, "--x": "0%", "--y": "0%" });
  assert.deepEqual(placeOf(7, grid), { "--columns": 5, "--rows": 2, "--x": "50%", "--y": "100%" });
  assert.equal(placeOf(0, { columns: 1, rows: 4 })["--x"], "0%");
});

function queue() {
  const told = { committed: [], changes: [] };
  let due = null;
  const made = undoQueue({
    commit: (ids, leaving) => told.committed.push([ids, leaving]),
    changed: (pending) => told.changes.push(pending && pending.ids.length),
    delay: 8_000,
    now: () => 1_000,
    set: (work) => ((due = work), 7),
    clear: () => (due = null),
  });
  return { ...made, told, timeIsOver: () => due?.() };
}

test("what is deleted can be taken back until the time is over", () => {
  const deletes = queue();
  deletes.put(["a", "b"]);
  assert.deepEqual(deletes.undo(), ["a", "b"]);
  deletes.timeIsOver();
  assert.deepEqual(deletes.told, { committed: [], changes: [2, null] });
  deletes.put(["c"]);
  deletes.timeIsOver();
  assert.deepEqual(deletes.told.committed, [[["c"], false]]);
  assert.deepEqual(deletes.undo(), []);
});

test("the next delete sends the one before off, and so does leaving the page", () => {
  const deletes = queue();
  deletes.put(["a"]);
  deletes.put(["b"]);
  assert.deepEqual(deletes.told.committed, [[["a"], false]]);
  deletes.flush({ leaving: true });
  deletes.flush({ leaving: true });
  assert.deepEqual(deletes.told.committed, [[["a"], false], [["b"], true]]);
});

test("one is chosen, or everything between it and the last one", () => {
  const ids = ["a", "b", "c", "d"];
  assert.deepEqual([...toggled(new Set(), "b")], ["b"]);
  assert.deepEqual([...toggled(new Set(["b"]), "b")], []);
  assert.deepEqual([...toggled(new Set(["d"]), "b", { ids, anchor: "d", range: true })].sort(), ["b", "c", "d"]);
  assert.deepEqual([...toggled(new Set(), "b", { ids, anchor: "gone", range: true })], ["b"]);
});

test("arrow keys go through the rows and stop at the ends", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const lead = (id, key) => moved(ids, id, key, 3);
  assert.deepEqual(["ArrowRight", "ArrowDown", "End", "ArrowLeft", "Enter"].map((key) => lead("a", key)), ["b", "d", "e", null, null]);
  assert.equal(lead("e", "ArrowUp"), "b");
  assert.equal(lead("e", "Home"), "a");
  assert.equal(lead("c", "ArrowDown"), null);
});
