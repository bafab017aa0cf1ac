// How far one job is: the bar, the numbers, the time that passed and what is left, the place in the queue.

import { clock, timeOfDay } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { remaining } from "../remaining.js";
import { second } from "../state.js";
import { whileSeen } from "./visible.js";

const AT_WORK = new Set(["submitting", "processing", "storing"]);

/** "reported" by the upstream, "estimated" by us, without a number "moving" or "resting". */
export function kindOf(task) {
  if (task.progress > 0) return task.progressEstimated ? "estimated" : "reported";
  return AT_WORK.has(task.stage) ? "moving" : "resting";
}

/** A bar; striped when the number is a guess. Without a number it moves while there is work, and rests otherwise. It is
 *  drawn anew with each `stage`, in sight or not. */
export function Progress({ known, sight }) {
  const task = whileSeen(sight, known);
  const percent = Math.floor(task.progress);
  const kind = kindOf(task);
  const text = kind === "estimated" ? t("card.about", { percent }) : kind === "reported" ? t("card.percent", { percent }) : "";
  return html`
    <div class="progress">
      <${Bar} kind=${kind} part=${task.progress / 100} text=${text} label=${t("card.progress")} />
      <p class="numbers">
        <span title=${kind === "estimated" ? t("card.aboutHint") : undefined}>${text}</span>
        <span><${Elapsed} task=${task} sight=${sight} /></span>
      </p>
      <${Queue} task=${task} />
    </div>
  `;
}

export function Bar({ kind, part, text, label }) {
  const numbered = kind === "reported" || kind === "estimated";
  return html`
    <div class="bar" data-kind=${kind} role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-label=${label}
      aria-valuenow=${numbered ? Math.floor(part * 100) : undefined} aria-valuetext=${text || undefined}>
      <div class="fill" style=${{ "--part": part }}></div>
    </div>
  `;
}

/** Its own component: the passing second redraws these few letters only. */
function Elapsed({ task, sight }) {
  const now = whileSeen(sight, second);
  const passed = clock((now - Date.parse(task.createdAt)) / 1_000);
  const left = remaining(task, now);
  return left > 0 ? t("card.elapsedLeft", { passed, left: clock(left) }) : t("card.elapsed", { passed });
}

function Queue({ task }) {
  if (task.queuePosition === null || task.stage !== "queued") return null;
  const place = task.queuePosition === 1 ? t("card.queueNext") : t("card.queue", { place: task.queuePosition });
  return html`
    <p class="queue">
      ${place}${task.estimatedStartAt && ` · ${t("card.queueStart", { time: timeOfDay(task.estimatedStartAt) })}`}
    </p>
  `;
}
