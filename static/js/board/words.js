// What a job waits for, in the reader's language.

import { timeOfDay } from "../format.js";
import { t } from "../i18n.js";

/** Sentences of the gateway that have words here; what has none is shown as it came. */
const NOTES = [
  [/^(.+) is busy; trying again\.$/, "busy"],
  [/^(.+) is paused: .+\.$/, "paused"],
  [/^(.+) has reached its spend cap for a day\.$/, "spendCap"],
  [/^The upstream (.+) is not in the configuration any more\.$/, "gone"],
];

export function noteText(note) {
  for (const [pattern, word] of NOTES) {
    const upstream = pattern.exec(note)?.[1];
    if (upstream) return t(`note.${word}`, { upstream });
  }
  return note;
}

/** The outage that keeps a task waiting, or undefined. `outages` is what the API says, or null. */
export const outageOf = (task, outages) =>
  task.stage === "queued" ? outages?.upstreams.find(({ upstream }) => upstream === task.upstream) : undefined;

export function outageText({ upstream, cause, opensAt }) {
  const again = opensAt ? ` ${t("outage.again", { time: timeOfDay(opensAt) })}` : "";
  return t(`outage.${cause}`, { upstream }) + again;
}

/** The sentence under the stage; empty when there is nothing to say. */
export function waitText(task, outages) {
  const outage = outageOf(task, outages);
  if (outage) return outageText(outage);
  return task.note ? noteText(task.note) : task.overdue ? t("card.overdue") : "";
}
