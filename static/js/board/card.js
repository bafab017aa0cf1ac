// One job: what it is, where it stands, what can be done.

import { useState } from "../../vendor/hooks.js";
import { cancel, confirmed, remove, retry } from "../actions.js";
import { ago, clock, dateTime } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { halfMinute, isEnded, job, second, session } from "../state.js";
import { Copyable } from "../views/copyable.js";
import { History } from "./history.js";
import { Icon } from "../views/icons.js";
import { Download, Player } from "./player.js";

export function Card({ id }) {
  const task = job(id)?.value;
  if (!task) return null;
  return html`
    <article class="card" data-status=${task.status} aria-labelledby=${`prompt-${id}`}>
      <${Screen} task=${task} />
      <div class="body">
        <p class="prompt" dir="auto" id=${`prompt-${id}`} title=${task.prompt}>${task.prompt}</p>
        <p class="facts quiet"><${Facts} task=${task} /></p>
        <${Ids} task=${task} />
        <${Actions} task=${task} />
        <${History} task=${task} />
      </div>
    </article>
  `;
}

/** The picture, or what is there in its place. */
function Screen({ task }) {
  if (task.status === "completed") return html`<div class="screen"><${Player} task=${task} /></div>`;
  if (isEnded(task)) {
    return html`
      <div class="screen ended">
        <${Icon} name=${task.status === "failed" ? "warning" : "cancelled"} />
        <p class="stage">${t(`stage.${task.stage}`)}</p>
        ${task.status === "failed" && task.error && html`<p class="reason">${task.error.message}</p>`}
      </div>
    `;
  }
  return html`
    <div class="screen running">
      <p class="stage">${stageText(task)}</p>
      <p class="reason">${task.note || (task.overdue ? t("card.overdue") : "")}</p>
      <${Progress} task=${task} />
    </div>
  `;
}

function stageText(task) {
  if (task.cancelRequested && task.stage !== "cancelling") return t("stage.cancelSoon");
  return t(`stage.${task.stage}`, { upstream: task.upstream });
}

const AT_WORK = new Set(["submitting", "processing", "storing"]);

/** A bar; striped when the number is a guess. Without a number it moves while there is work, and rests otherwise. */
function Progress({ task }) {
  const known = task.progress > 0;
  const percent = Math.floor(task.progress);
  const text = !known ? "" : task.progressEstimated ? t("card.about", { percent }) : t("card.percent", { percent });
  const kind = known ? (task.progressEstimated ? "estimated" : "real") : AT_WORK.has(task.stage) ? "moving" : "resting";
  return html`
    <div class="progress">
      <div class="bar" data-kind=${kind}
        role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${known ? percent : undefined}
        aria-valuetext=${text || undefined} aria-label=${t("card.progress")}>
        <div class="fill" style=${{ "--part": task.progress / 100 }}></div>
      </div>
      <p class="numbers"><span>${text}</span><span><${Elapsed} task=${task} /></span></p>
    </div>
  `;
}

/** Its own component: the passing second redraws these few letters only. */
function Elapsed({ task }) {
  const now = second.value;
  const passed = clock((now - Date.parse(task.createdAt)) / 1_000);
  const left = (Date.parse(task.estimatedCompletionAt) - now) / 1_000;
  return left > 0 ? t("card.elapsedLeft", { passed, left: clock(left) }) : t("card.elapsed", { passed });
}

function Facts({ task }) {
  const created = Date.parse(task.createdAt);
  const parts = [
    task.model,
    t("composer.secondsOption", { count: task.seconds }),
    task.size.replace("x", " × "),
    task.status === "completed" &&
      task.completedAt &&
      t("card.took", { time: clock((Date.parse(task.completedAt) - created) / 1_000) }),
  ];
  return html`
    ${parts.filter(Boolean).join(" · ")} ·${" "}
    <time datetime=${task.createdAt} title=${dateTime(created)}>${ago(created, halfMinute.value)}</time>
  `;
}

function Ids({ task }) {
  return html`
    <dl class="ids">
      <dt>${t("card.id")}</dt>
      <dd><${Copyable} label=${t("card.id")} text=${task.videoId} /></dd>
      <dt>${t("card.externalId", { upstream: task.upstream })}</dt>
      <dd>
        ${task.externalVideoId
          ? html`<${Copyable} label=${t("card.externalId", { upstream: task.upstream })} text=${task.externalVideoId} />`
          : html`<span class="quiet">${isEnded(task) ? t("card.noExternalId") : t("card.externalIdLater")}</span>`}
      </dd>
    </dl>
  `;
}

function Actions({ task }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const mayChange = session.value.user?.role !== "viewer";
  const ended = isEnded(task);
  const run = (work, question) => async () => {
    if (question && !(await confirmed(question))) return;
    setBusy(true);
    setProblem(null);
    await work(task.videoId).catch(setProblem);
    setBusy(false);
  };
  const button = (name, icon, press, disabled = false) => html`
    <button disabled=${busy || disabled} onClick=${press}><${Icon} name=${icon} />${t(`action.${name}`)}</button>
  `;
  const stopping = task.cancelRequested || task.stage === "cancelling";
  return html`
    <div class="actions">
      ${task.status === "completed" && html`<${Download} task=${task} onProblem=${setProblem} />`}
      ${mayChange && !ended && button("cancel", "close", run(cancel, cancelQuestion(task)), stopping)}
      ${mayChange && ended && button(...retryOf(task), run(retry, retryQuestion(task)))}
      ${mayChange && ended && button("delete", "trash", run(remove, question("delete")))}
    </div>
    ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
  `;
}

const question = (name) => ({
  title: t(`ask.${name}.title`),
  text: t(`ask.${name}.text`),
  action: t(`ask.${name}.yes`),
});

/** Before it is sent, cancelling costs nothing and needs no question. */
const cancelQuestion = (task) => (task.stage === "queued" ? null : question("cancel"));

/** Once more after a success is a second purchase: asked, because it may be a slip. */
const retryQuestion = (task) => (task.status === "completed" ? question("again") : null);
const retryOf = (task) => [task.status === "completed" ? "again" : "retry", "retry"];
