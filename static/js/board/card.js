// One job: what it is, where it stands, what can be done. Percents and seconds redraw their own few letters; the card
// is drawn anew when anything else changes.

import { useComputed } from "../../vendor/signals.js";
import { ago, clock, dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { halfMinute, isEnded, job, outages } from "../state.js";
import { Copyable } from "../views/copyable.js";
import { Icon } from "../views/icons.js";
import { Acts } from "./acts.js";
import { History } from "./history.js";
import { Player } from "./player.js";
import { Progress } from "./progress.js";
import { useSight, whileSeen } from "./visible.js";
import { waitText } from "./words.js";

/** `playing`: the finished video plays by itself, without sound. */
export function Card({ id, playing = false }) {
  const known = job(id);
  return known && html`<${Known} id=${id} known=${known} playing=${playing} />`;
}

/** All of a task but what changes with every look at its upstream. */
const outline = ({ progress, progressEstimated, seq, queuePosition, estimatedStartAt, estimatedCompletionAt, ...task }) =>
  JSON.stringify(task);

function Known({ id, known, playing }) {
  const [place, sight] = useSight();
  useComputed(() => outline(known.value)).value;
  const task = known.peek();
  return html`
    <article class="card" ref=${place} data-status=${task.status} data-stage=${task.stage} aria-labelledby=${`prompt-${id}`}>
      <${Screen} task=${task} known=${known} sight=${sight} playing=${playing} />
      <div class="body">
        <p class="prompt" dir="auto" title=${task.prompt}>
          <a id=${`prompt-${id}`} href=${to("video", id)}>${task.prompt}</a>
        </p>
        <p class="facts quiet"><${Facts} task=${task} sight=${sight} /></p>
        <${Ids} task=${task} />
        <${Acts} task=${task} />
        <${History} task=${task} />
      </div>
    </article>
  `;
}

/** The picture, or what is there in its place. */
function Screen({ task, known, sight, playing }) {
  if (task.status === "completed") {
    return html`<div class="screen"><${Player} task=${task} playing=${playing} /></div>`;
  }
  if (isEnded(task)) {
    return html`
      <div class="screen ended">
        <${Icon} name=${task.status === "failed" ? "warning" : "cancelled"} />
        <p class="stage">${t(`stage.${task.stage}`)}</p>
        ${task.status === "failed" && task.error && html`<p class="reason">${task.error.message}</p>`}
      </div>
    `;
  }
  const wait = waitText(task, outages.value);
  return html`
    <div class="running">
      <p class="stage">${stageText(task)}</p>
      <${Progress} known=${known} sight=${sight} stage=${task.stage} />
      ${wait && html`<p class="reason">${wait}</p>`}
    </div>
  `;
}

function stageText(task) {
  if (task.cancelRequested && task.stage !== "cancelling") return t("stage.cancelSoon");
  return t(`stage.${task.stage}`, { upstream: task.upstream });
}

function Facts({ task, sight }) {
  const created = Date.parse(task.createdAt);
  const parts = [
    task.model,
    t("composer.secondsOption", { count: task.seconds }),
    task.size.replace("x", " × "),
    task.status === "completed" &&
      task.completedAt &&
      t("card.took", { time: clock((Date.parse(task.completedAt) - created) / 1_000) }),
    !task.mine && t("card.by", { who: task.owner.email ?? t("card.somebody") }),
    task.visibility === "team" && t("card.team"),
  ];
  return html`
    ${parts.filter(Boolean).join(" · ")} ·${" "}
    <time datetime=${task.createdAt} title=${dateTime(created)}>${ago(created, whileSeen(sight, halfMinute))}</time>
  `;
}

function Ids({ task }) {
  const theirs = t("card.externalId", { upstream: task.upstream });
  return html`
    <dl class="ids">
      <dt>${t("card.id")}</dt>
      <dd><${Copyable} label=${t("card.id")} text=${task.videoId} /></dd>
      <dt>${theirs}</dt>
      <dd>
        ${task.externalVideoId
          ? html`<${Copyable} label=${theirs} text=${task.externalVideoId} />`
          : html`<span class="quiet">${isEnded(task) ? t("card.noExternalId") : t("card.externalIdLater")}</span>`}
      </dd>
    </dl>
  `;
}
