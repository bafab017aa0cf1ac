// One video: to be seen or still being made, and everything that is known of it.

import { useEffect, useState } from "../../vendor/hooks.js";
import { confirmed, remove } from "../actions.js";
import { clock } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { remaining } from "../remaining.js";
import { go, to } from "../router.js";
import { isEnded, second } from "../state.js";
import { Icon } from "../views/icons.js";
import { Actions, mayChange } from "./actions.js";
import { Details } from "./details.js";
import { Explanation } from "./explanation.js";
import { Facts } from "./facts.js";
import { useTask } from "./following.js";
import { Player } from "./player.js";
import { Relations } from "./relations.js";
import { Shares } from "./sharing.js";
import { Tags } from "./tags.js";
import { Timeline } from "./timeline.js";

export function Screen({ path }) {
  const id = path[0] ?? "";
  return html`<${Video} key=${id} id=${id} />`;
}

function Video({ id }) {
  const loaded = useTask(id);
  const task = loaded.value;
  useEffect(() => {
    if (task) document.title = `${task.prompt.slice(0, 60)} · ${t("app.name")}`;
  });
  if (loaded.error?.status === 404 || (!task && loaded.error?.status === 403)) return html`<${Missing} />`;
  if (!task && loaded.error) {
    return html`
      <div class="empty" role="alert">
        <p><strong>${t("video.failed")}</strong></p>
        <p class="quiet">${errorText(loaded.error)}</p>
        <button onClick=${loaded.again}>${t("action.tryAgain")}</button>
      </div>
    `;
  }
  if (!task) return html`<p class="quiet centre" role="status">${t("app.loading")}</p>`;
  const removing = async () => {
    const ask = { title: t("ask.delete.title"), text: t("ask.delete.text"), action: t("ask.delete.yes") };
    if (!(await confirmed(ask))) return;
    await remove(task.videoId);
    go(to("gallery"));
  };
  return html`
    <article class="video" data-status=${task.status} data-shape=${task.orientation}>
      <p class="crumbs"><a href=${to("gallery")}>${t("nav.gallery")}</a></p>
      <div class="stage-box"><${Stage} task=${task} onTask=${loaded.put} /></div>
      <h2 class="whole" dir="auto">${task.prompt}</h2>
      <${Actions} task=${task} onTask=${loaded.put} onRemove=${removing} />
      <${Tags} task=${task} mayChange=${mayChange(task)} onTask=${loaded.put} />
      <div class="columns">
        <div class="column">
          ${task.error && task.status === "failed" && html`<${Explanation} error=${task.error} />`}
          <${Timeline} task=${task} />
          <${Details} task=${task} />
        </div>
        <div class="column">
          <${Facts} task=${task} />
          ${mayChange(task) && task.status === "completed" &&
          html`<section class="panel"><h3>${t("video.share.title")}</h3><${Shares} id=${task.videoId} /></section>`}
          <${Relations} key=${task.status} task=${task} />
        </div>
      </div>
    </article>
  `;
}

function Stage({ task, onTask }) {
  if (task.status === "completed") return html`<${Player} key=${task.videoId} task=${task} onTask=${onTask} />`;
  if (isEnded(task)) {
    return html`
      <p class="state"><${Icon} name=${task.status === "failed" ? "warning" : "cancelled"} />${t(`stage.${task.stage}`)}</p>
    `;
  }
  const known = task.progress > 0;
  const percent = Math.floor(task.progress);
  const text = !known ? "" : t(task.progressEstimated ? "card.about" : "card.percent", { percent });
  const kind = known ? (task.progressEstimated ? "estimated" : "real") : "moving";
  return html`
    <div class="state">
      <p><strong>${t(task.cancelRequested && task.stage !== "cancelling" ? "stage.cancelSoon" : `stage.${task.stage}`, { upstream: task.upstream })}</strong></p>
      <p class="quiet">${task.note || (task.overdue ? t("card.overdue") : task.queuePosition ? t("video.turn", { position: task.queuePosition }) : "")}</p>
      <div class="bar" data-kind=${kind} role="progressbar" aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${known ? percent : undefined} aria-valuetext=${text || undefined} aria-label=${t("card.progress")}>
        <div class="fill" style=${{ "--part": task.progress / 100 }}></div>
      </div>
      <p class="numbers"><span>${text}</span><${Elapsed} task=${task} /></p>
    </div>
  `;
}

function Elapsed({ task }) {
  const passed = clock((second.value - Date.parse(task.createdAt)) / 1_000);
  const left = remaining(task, second.value);
  return html`<span>${left > 0 ? t("card.elapsedLeft", { passed, left: clock(left) }) : t("card.elapsed", { passed })}</span>`;
}

/** What does not exist and what one may not see are answered alike, and so said alike. */
function Missing() {
  const [asked] = useState(() => location.hash);
  return html`
    <div class="empty" role="alert">
      <p><strong>${t("video.missing")}</strong></p>
      <p class="quiet">${t("video.missingText")}</p>
      <p><code>${asked}</code></p>
      <a class="button primary" href=${to("gallery")}>${t("nav.gallery")}</a>
    </div>
  `;
}
