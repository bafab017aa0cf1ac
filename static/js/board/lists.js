// What is on the board, and in which order. Nothing is drawn or asked for here.

import { isEnded } from "../state.js";

const LATELY_MS = 3_600_000;
/** As many of the ended ones are on the board; the gallery has all. */
export const ENDED_SHOWN = 24;

export const SCOPES = ["mine", "team", "visible"];

/** Whether a list with that scope of the API has the task; "visible" has everything that this person may see. */
export const inScope = (scope) => (task) =>
  scope === "mine" ? task.mine : scope === "team" ? task.visibility === "team" : true;

/** When it ended, as far as that is known: to the second for what ended while the page looked. */
const endOf = (task) => task.endedAt ?? task.completedAt ?? task.createdAt;

/** Ended in this visit, or within the last hour before `now` (epoch milliseconds). */
const endedLately = (task, now) => isEnded(task) && (task.endedAt || Date.parse(endOf(task)) >= now - LATELY_MS);

const latestFirst = (key) => (a, b) => (key(a) < key(b) ? 1 : key(a) > key(b) ? -1 : a.videoId < b.videoId ? 1 : -1);

/** { going, singles, batches, ended, hidden }: how many go on; what goes on, the newest first, as ids and as { batch, ids }; the ids of what
 *  ended lately, the last first; how many of those the board has no room for. A batch stays together while any of it
 *  goes on. */
export function shelves(tasks, { scope, now }) {
  const chosen = tasks.filter(inScope(scope)).filter((task) => !isEnded(task) || endedLately(task, now));
  const batches = together(chosen);
  const alone = chosen.filter((task) => !batches.has(task.batchId));
  const ended = alone.filter(isEnded).sort(latestFirst(endOf));
  return {
    going: chosen.filter((task) => !isEnded(task)).length,
    singles: alone.filter((task) => !isEnded(task)).sort(latestFirst(begun)).map(idOf),
    batches: [...batches.values()],
    ended: ended.slice(0, ENDED_SHOWN).map(idOf),
    hidden: Math.max(0, ended.length - ENDED_SHOWN),
  };
}

const begun = (task) => task.createdAt;
const idOf = (task) => task.videoId;

/** From the id of a batch to { batch, ids }, the newest batch first and its oldest job; only those of which several are
 *  here and some go on. */
function together(tasks) {
  const all = new Map();
  for (const task of [...tasks].sort(latestFirst(begun))) {
    if (task.batchId) all.set(task.batchId, [task, ...(all.get(task.batchId) ?? [])]);
  }
  const several = [...all].filter(([, members]) => members.length > 1 && !members.every(isEnded));
  return new Map(several.map(([batch, members]) => [batch, { batch, ids: members.map(idOf) }]));
}

/** How far a batch is, { part, counts, videos }: of all of it by `told` (the API's counts), and of what is here. */
export function howFar(tasks, told) {
  const here = {};
  for (const task of tasks) here[task.status] = (here[task.status] ?? 0) + 1;
  const videos = Math.max(told?.videos ?? 0, tasks.length);
  const elsewhere = videos - tasks.length;
  const counts = elsewhere && told ? told.counts : here;
  // What ended before this page looked is in nobody's list but the API's.
  const done = tasks.reduce((sum, task) => sum + (isEnded(task) ? 100 : task.progress), 0) + elsewhere * 100;
  return { part: videos ? done / videos / 100 : 0, counts, videos };
}
