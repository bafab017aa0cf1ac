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

/** How the live connection is; see sora-live.js. */
export const connection = signal("connecting");
/** What carries it: "websocket" | "sse" | "polling", null while nothing does. */
export const transport = signal(null);

/** Ids of the known jobs, newest first. */
export const order = signal([]);
/** "loading" | "ready" | "failed" */
export const listing = signal({ status: "loading", error: null });
/** The id after which the next older page begins; null when there is none, undefined before anything is known. */
export const older = signal(undefined);

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

/** The signal of one known job. */
export const job = (id) => jobs.get(id);

export const isEnded = (task) => ["completed", "failed", "cancelled"].includes(task.status);

/** Puts tasks in, or brings known ones up to date; an older state than the known one changes nothing. */
export function putTasks(tasks) {
  batch(() => {
    let added = false;
    for (const task of tasks) {
      const known = jobs.get(task.videoId);
      if (!known) {
        jobs.set(task.videoId, signal(task));
        added = true;
      } else if (task.seq >= known.peek().seq) {
        known.value = task;
      }
    }
    if (added) sort();
  });
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
      if (known) known.value = task;
      else jobs.set(task.videoId, signal(task));
    }
    sort();
    if (whole) older.value = null;
    else if (older.peek() === undefined || named.has(older.peek())) older.value = tasks.at(-1).videoId;
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
  if (update.seq > known.peek().seq) known.value = updated(known.peek(), update);
  return true;
}

const KEEPS_NOTE = new Set(["overdue", "cancelling"]);
const BRINGS_NOTE = new Set(["waiting", "unknown"]);

function updated(task, update) {
  const { type, cursor, step, message, timestamp, assets, ...state } = update;
  const next = { ...task, ...state, ...assets };
  if (!KEEPS_NOTE.has(step)) next.note = BRINGS_NOTE.has(step) ? message : "";
  if (step === "submitting") next.submittedAt = timestamp;
  if (update.status === "completed") next.completedAt = timestamp;
  return next;
}

export function removeJob(id) {
  jobs.delete(id);
  order.value = order.peek().filter((other) => other !== id);
  if (older.peek() === id) older.value = order.peek().at(-1);
}

function sort() {
  const newestFirst = (a, b) =>
    a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.videoId < b.videoId) ? 1 : -1;
  order.value = [...jobs.values()].map((known) => known.peek()).sort(newestFirst).map((task) => task.videoId);
}

/** Forgets everything that belongs to a person. */
export function clear() {
  batch(() => {
    jobs.clear();
    order.value = [];
    older.value = undefined;
    models.value = modelsError.value = null;
    listing.value = { status: "loading", error: null };
    dialog.value = null;
    noWayBack.value = false;
    connection.value = "connecting";
    transport.value = null;
  });
}
