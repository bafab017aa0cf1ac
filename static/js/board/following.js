// Keeps the board whole: the live connection tells of the newest hundred and of every change, but neither of older jobs
// that still go on, nor of places in the queue, nor of what is out of order.

import { useEffect } from "../../vendor/hooks.js";
import { effect } from "../../vendor/signals.js";
import { tasks } from "../api.js";
import { connection, isEnded, known, outages, putTasks, putUnfinished, removeJob, turns } from "../state.js";
import { outages as loadOutages, unfinished } from "./api.js";
import { inScope } from "./lists.js";

const SOONEST_MS = 1_500;
const AGAIN_MS = 15_000;

/** Looks now, when the connection comes back, soon after a job got its place or was told to wait, and every 15 seconds. */
export function useFollowing(scope) {
  useEffect(() => {
    let timer = 0;
    let hurried = false; // Whether the timer is the short one.
    let busy = false;
    let stopped = false;
    const after = (milliseconds, work) => {
      clearTimeout(timer);
      hurried = milliseconds === SOONEST_MS;
      timer = stopped ? 0 : setTimeout(work, milliseconds);
    };
    const look = async () => {
      hurried = false;
      if (stopped || busy) return;
      busy = true;
      await Promise.allSettled([lookAtUnfinished(scope), lookAtOutages()]);
      busy = false;
      if (!hurried) after(AGAIN_MS, idle);
    };
    const soon = () => void (hurried || after(SOONEST_MS, look));
    // Nobody looks at a hidden page.
    const idle = () => (document.hidden ? document.addEventListener("visibilitychange", soon, { once: true }) : look());
    const ends = [
      effect(() => void (["live", "polling"].includes(connection.value) && soon())),
      effect(() => void (turns.value && soon())),
    ];
    look();
    return () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", soon);
      ends.forEach((end) => end());
    };
  }, [scope]);
}

async function lookAtUnfinished(scope) {
  const asked = new Set(known().map((task) => task.videoId));
  const { tasks: list, whole } = await unfinished(scope);
  const missing = putUnfinished(list, inScope(scope));
  // What came while the pages were read is in none of them.
  if (whole) await Promise.all(missing.filter((id) => asked.has(id)).map(lookAgain));
}

/** It ended, or it is gone: in the moment before, or in another life of the database. */
async function lookAgain(id) {
  try {
    putTasks([await tasks.get(id)]);
  } catch (error) {
    if (error.status === 404) removeJob(id);
  }
}

async function lookAtOutages() {
  outages.value = await loadOutages();
}

/** How many of the known jobs wait for each of the upstreams, by name. */
export function waitingFor() {
  const counts = {};
  for (const task of known()) {
    if (!isEnded(task) && task.stage === "queued") counts[task.upstream] = (counts[task.upstream] ?? 0) + 1;
  }
  return counts;
}
