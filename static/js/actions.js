// What people do with videos, and what follows: calls the API and writes the state.

import { batch } from "../vendor/signals.js";
import { models as loadModelList, tasks } from "./api.js";
import { t } from "./i18n.js";
import * as state from "./state.js";

const PAGE = 50;
const DRAFT = "sora-gateway.draft";

// --- what is there ---

export async function loadModels() {
  state.modelsError.value = null;
  try {
    const { models, limits } = await loadModelList();
    state.models.value = Object.assign(models, { limits });
  } catch (error) {
    state.modelsError.value = error;
  }
}

/** The newest page; also the way to look while the live connection is down. */
export async function loadJobs() {
  try {
    const { tasks: list } = await tasks.list({ limit: PAGE });
    state.putTasks(list);
    state.silence.value = null;
    state.listing.value = { status: "ready", error: null };
  } catch (error) {
    state.silence.value = error;
    if (state.listing.value.status !== "ready") state.listing.value = { status: "failed", error };
  }
}

const fetching = new Map();

/** Changes that the live connection tells of. What follows from them is drawn once. */
export const takeUpdates = (updates) => batch(() => updates.forEach(takeUpdate));

function takeUpdate(update) {
  const before = state.job(update.videoId)?.peek();
  if (!state.applyUpdate(update)) fetchUnknown(update);
  else announce(before, state.job(update.videoId)?.peek());
  // Files that went or came back: since when, why and until when they are kept is in the task alone.
  const kept = update.assets && update.step !== "found";
  if (update.status === "completed" && !kept && before) tasks.get(update.videoId).then(putOne, () => {});
}

/** A job begun elsewhere: fetched, and again if it went on meanwhile. */
async function fetchUnknown({ videoId, seq }) {
  const running = fetching.has(videoId);
  fetching.set(videoId, seq);
  if (running) return;
  try {
    let task;
    do task = await tasks.get(videoId);
    while (task.seq < fetching.get(videoId));
    putOne(task);
  } catch {
    // Gone again, or unreachable: the next snapshot tells.
  } finally {
    fetching.delete(videoId);
  }
}

function announce(before, after) {
  if (!before || !after || before.status === after.status || !state.isEnded(after)) return;
  state.announcement.value = t(`announce.${after.status}`, { prompt: after.prompt.slice(0, 80) });
}

const putOne = (task) => state.putTasks([task]);

// --- jobs; each raises ApiError ---

export const cancel = async (id) => putOne(await tasks.cancel(id));
export const retry = async (id) => putOne(await tasks.retry(id));

/** A newly signed address of the video, after a look whether it leads to the file. */
export async function freshAddress(id) {
  const task = await tasks.refreshUrl(id);
  putOne(task);
  await tasks.probe(task.videoUrl);
  return task.videoUrl;
}

export async function remove(id) {
  await tasks.remove(id);
  state.removeJob(id);
}

// --- small things ---

export const readDraft = () => {
  try {
    return JSON.parse(localStorage.getItem(DRAFT)) ?? {};
  } catch {
    return {};
  }
};

export const keepDraft = (draft) => localStorage.setItem(DRAFT, JSON.stringify(draft));
export const forgetDraft = () => localStorage.removeItem(DRAFT);

/** Asks first. Resolves with true or false. */
export const confirmed = (texts) =>
  new Promise((resolve) => {
    state.dialog.value = { kind: "confirm", ...texts, resolve };
  });

/** Copies text; true if it worked. The modern way needs HTTPS or this machine, the old one does not. */
export async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const worked = document.execCommand("copy");
  area.remove();
  return worked;
}
