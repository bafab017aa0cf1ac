// What a video was made from, and what was made from it.

import { useState } from "../../vendor/hooks.js";
import { fileAddress } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { useLoaded } from "../views/loaded.js";
import { videos } from "./api.js";

export function Relations({ task }) {
  const origin = task.sourceVideoId ?? task.retryOf;
  const made = useLoaded(() => videos.madeFrom(task.videoId), [task.videoId]);
  const from = useLoaded(() => (origin ? videos.get(origin) : Promise.resolve(null)), [origin]);
  const children = made.value?.tasks ?? [];
  if (!origin && children.length === 0) return null;
  return html`
    <section class="panel">
      ${origin &&
      html`
        <h3>${t(task.sourceVideoId ? "video.madeFrom" : "video.retryOf")}</h3>
        <ul class="relations">
          ${from.value && html`<${Related} task=${from.value} />`}
          ${from.error && html`<li class="quiet">${t("video.originGone")} <code>${origin}</code></li>`}
        </ul>
      `}
      ${children.length > 0 &&
      html`
        <h3>${t("video.madeOfIt")}</h3>
        <ul class="relations">${children.map((child) => html`<${Related} key=${child.videoId} task=${child} />`)}</ul>
      `}
    </section>
  `;
}

function Related({ task }) {
  const [broken, setBroken] = useState(false);
  return html`
    <li>
      <a href=${to("video", task.videoId)}>
        <span class="small">
          ${task.thumbnailUrl && !broken && html`<img src=${fileAddress(task.thumbnailUrl)} alt="" loading="lazy" onError=${() => setBroken(true)} />`}
        </span>
        <span class="prompt" dir="auto">${task.prompt}</span>
      </a>
      <span class="quiet">${task.retryOf ? t("video.operation.retry") : t(`video.operation.${task.operation}`)} · ${t(`stage.${task.stage}`, { upstream: task.upstream })}</span>
    </li>
  `;
}
