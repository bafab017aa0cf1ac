// The one place for what the page knows. Signals and plain changes of them; no calls to the server here.
//
// Every job has a signal of its own, so an update redraws one card and the list stays as it is.

import { batch, signal } from "../vendor/signals.js";
import { serverNow } from "./api.js";

const NOBODY = { user: null, simulator: false, hasPassword: true, error: null, ended: false };

/** `status` is "loading" | "out" | "in" | "unreachable", `error` an ApiError or null, `ended` true when a
 *  session was there and is gone. */
export const session = signal({ ...NOBODY, status: "loading" });
export const setSession = (change) => (session.value = { ...NOBODY, ...change });

/** What people without a session see: { kind: "signin" | "register" | "invite" | "reset", token, email }. The token
 *  of a link is here and nowhere else: it is gone with the page. */
export const door = signal({ kind: "signin" });

/** One sentence above everything, until it is closed: null or { key, bad }, the key of a text. */
export const notice = signal(null);

/** The ways of signing in, as the API has them; null while loading. */
export const methods = signal(null);
export const methodsError = signal(null);

/** Whether somebody is signed in who has no way to come back by themselves: no password, no provider. */
export const noWayBack = signal(false);

/** null while loading, otherwise the list of models. */
export const models = signal(null);
export const modelsError = signal(null);

/** How the live connection is; see sora-live.js. Set by setConnection. */
export const connection = signal("connecting");
/** What carries it: "websocket" | "sse" | "polling", null while nothing does. */
export const transport = signal(null);
/** Until when what is shown was true, in epoch milliseconds of the server; null while it is, or before it ever was. */
export const oldSince = signal(null);
/** Why the gateway did not answer when it was asked last: an ApiError, null when it did. */
export const silence = signal(null);
/** What is out of order, as the API has it; null before anything is known. */
export const outages = signal(null);

/** Ids of the known jobs, newest first. */
export const order = signal([]);
/** "loading" | "ready" | "failed" */
export const listing = signal({ status: "loading", error: null });
/** Goes up when a job comes, goes, or ends: when lists may have changed, and not with every update. */
export const shape = signal(0);

/** Goes up when a job got a place, or was told to wait: what it waits for may have changed for the others too. */
export const turns = signal(0);

/** What is open over the page: null or { kind, ... }. */
export const dialog = signal(null);
/** The last sentence for screen readers. */
export const announcement = signal("");

/** Epoch milliseconds of the server, once a second and once in 30 seconds. */
export const second = signal(serverNow());
export const halfMinute = signal(serverNow());
setInterval(() => (second.value = serverNow()), 1_000);
setInterval(() => (halfMinute.value = serverNow()), 30_000);

const jobs = new Map();
const listeners = new Map();

/** The signal of one known job. */
export const job = (id) => jobs.get(id);

/** Every known job as it is now, without being told of changes. */
export const known = () => [...jobs.values()].map((each) => each.peek());

export const isEnded = (task) => ["completed", "failed", "cancelled"].includes(task.status);

/** Puts tasks in, or brings known ones up to date; an older state than the known one changes nothing. */
export function putTasks(tasks) {
  batch(() => {
    let added = false;
    let ended = false;
    for (const task of tasks) {
      const known = jobs.get(task.videoId);
      if (!known) {
        jobs.set(task.videoId, signal(task));
        added = true;
      } else if (task.seq >= known.peek().seq) {
        ended ||= put(known, task);
      }
    }
    if (added) sort();
    if (added || ended) shape.value++;
  });
}

/** Returns whether the job ended by this. What is the same as before redraws nothing. */
function put(known, task) {
  const before = known.peek();
  const next = before.endedAt ? { ...task, endedAt: before.endedAt } : task;
  if (!same(before, next)) known.value = next;
  return isEnded(before) !== isEnded(next);
}

function same(before, next) {
  return !isEnded(before) && before.seq === next.seq && content(before) === content(next);
}

/** The address of its image is signed anew each time: another one for the same file is no change. */
const content = ({ referenceUrl, ...task }) => JSON.stringify(task);

/** Brings the places in the queue and the expected times up to date, which no update tells of. Known unfinished jobs
 *  that are in `scope` but not named have ended or are gone: their ids are returned. `scope` tells of a task whether
 *  the list would have named it. */
export function putUnfinished(tasks, scope) {
  putTasks(tasks);
  const named = new Set(tasks.map((task) => task.videoId));
  return known().filter((task) => !isEnded(task) && !named.has(task.videoId) && scope(task)).map((task) => task.videoId);
}

/** Makes the list what a fresh snapshot says, which may be earlier than what is known: the database may be a
 *  restored one. Older jobs than its last stay when it was cut off at `limit`. */
export function putSnapshot(tasks, limit) {
  batch(() => {
    const whole = tasks.length < limit;
    const oldest = tasks.at(-1)?.createdAt ?? "";
    const named = new Set(tasks.map((task) => task.videoId));
    for (const [id, known] of jobs) {
      if (!named.has(id) && (whole || known.peek().createdAt > oldest)) jobs.delete(id);
    }
    for (const task of tasks) {
      const known = jobs.get(task.videoId);
      if (known) put(known, task);
      else jobs.set(task.videoId, signal(task));
    }
    sort();
    shape.value++;
    listing.value = { status: "ready", error: null };
  });
}

/** Takes in one live update. Returns false when the job is not known and has to be fetched. */
export function applyUpdate(update) {
  const known = jobs.get(update.videoId);
  if (update.step === "deleted") {
    if (known) removeJob(update.videoId);
    return true;
  }
  if (!known) return false;
  const before = known.peek();
  if (update.seq <= before.seq) return true;
  known.value = updated(before, update);
  if (isEnded(before) !== isEnded(known.peek())) shape.value++;
  if (TURNS.has(update.step)) turns.value++;
  for (const listener of listeners.get(update.videoId) ?? []) listener(update);
  return true;
}

/** Has `listener` called with every update of one job from now on. Returns a function that ends it. */
export function listen(id, listener) {
  const all = listeners.get(id) ?? new Set();
  listeners.set(id, all.add(listener));
  return () => {
    all.delete(listener);
    if (all.size === 0) listeners.delete(id);
  };
}

const TURNS = new Set(["submitting", "submitted", "waiting"]);
const KEEPS_NOTE = new Set(["overdue", "cancelling"]);
const BRINGS_NOTE = new Set(["waiting", "unknown"]);

function updated(task, update) {
  const { type, cursor, step, message, timestamp, assets, ...state } = update;
  const next = { ...task, ...state, ...assets };
  if (!KEEPS_NOTE.has(step)) next.note = BRINGS_NOTE.has(step) ? message : "";
  if (step === "submitting") next.submittedAt = timestamp;
  if (next.stage !== "queued") next.queuePosition = next.estimatedStartAt = null;
  if (update.status === "completed") next.completedAt ??= timestamp; // Not that of what happens to it later.
  if (isEnded(next)) next.endedAt ??= timestamp;
  return next;
}

export function removeJob(id) {
  jobs.delete(id);
  order.value = order.peek().filter((other) => other !== id);
  shape.value++;
}

function sort() {
  const newestFirst = (a, b) =>
    a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.videoId < b.videoId) ? 1 : -1;
  order.value = [...jobs.values()].map((known) => known.peek()).sort(newestFirst).map((task) => task.videoId);
}

/** `word` and `carrier` as in sora-live.js. What is shown is as old as the last moment of a connection that told. */
export function setConnection(word, carrier) {
  batch(() => {
    connection.value = word;
    transport.value = carrier;
    if (word === "live" || word === "polling") oldSince.value = silence.value = null;
    else if (word !== "connecting" && oldSince.peek() === null) oldSince.value = serverNow();
  });
}

/** Forgets everything that belongs to a person. */
export function clear() {
  batch(() => {
    jobs.clear();
    order.value = [];
    shape.value++;
    oldSince.value = silence.value = outages.value = null;
    models.value = modelsError.value = null;
    listing.value = { status: "loading", error: null };
    dialog.value = null;
    noWayBack.value = false;
    connection.value = "connecting";
    transport.value = null;
  });
}
