// One video in the gallery: its poster or its state, what it is, and whether it is chosen.

import { useRef } from "../../vendor/hooks.js";
import { fileAddress } from "../api.js";
import { ago, dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { halfMinute, isEnded } from "../state.js";
import { videos } from "../video/api.js";
import { Icon } from "../views/icons.js";
import { usePreview } from "./preview.js";

/** `chosen` is null outside of the select mode; `onPress(event)` opens it or chooses it. */
export function Tile({ list, id, chosen, onPress }) {
  const task = list.video(id)?.value;
  if (!task) return null;
  return html`<${Shown} task=${task} list=${list} chosen=${chosen} onPress=${onPress} />`;
}

function Shown({ task, list, chosen, onPress }) {
  const { bind, held, layer } = usePreview(task);
  const press = (event) => {
    if (held.current) return (held.current = false); // A finger that rested has seen what it wanted.
    onPress(event);
  };
  const named = `tile-${task.videoId}`;
  return html`
    <li class="tile" data-status=${task.status} data-chosen=${chosen === true} data-id=${task.videoId}>
      <button class="look" ...${bind} onClick=${press} aria-labelledby=${named} role=${chosen === null ? undefined : "checkbox"}
        aria-checked=${chosen === null ? undefined : chosen}>
        <${Window} task=${task} list=${list} />
        ${layer}
        ${chosen !== null && html`<span class="box"><${Icon} name="check" /></span>`}
        ${task.status === "completed" && html`<span class="length" aria-hidden="true">${t("composer.secondsOption", { count: task.seconds })}</span>`}
      </button>
      <p class="prompt" id=${named} dir="auto"><a href=${to("video", task.videoId)} title=${task.prompt}>${task.prompt}</a></p>
      <p class="facts quiet"><${Facts} task=${task} /></p>
    </li>
  `;
}

function Window({ task, list }) {
  const tried = useRef(null);
  const renew = () => {
    if (tried.current) return;
    tried.current = videos.refreshUrl(task.videoId).then(list.put, () => {});
  };
  if (task.status === "completed" && task.thumbnailUrl) {
    return html`<img src=${fileAddress(task.thumbnailUrl)} alt="" loading="lazy" decoding="async" onError=${renew}
      onLoad=${() => (tried.current = null)} />`;
  }
  if (isEnded(task)) {
    const icon = { completed: "film", failed: "warning", cancelled: "cancelled" }[task.status];
    return html`<span class="state"><${Icon} name=${icon} />${t(task.filesRemovedAt ? "gallery.removed" : `stage.${task.stage}`)}</span>`;
  }
  const known = task.progress > 0;
  const kind = known ? (task.progressEstimated ? "estimated" : "real") : "moving";
  return html`
    <span class="state">
      ${t(`stage.${task.stage}`, { upstream: task.upstream })}
      <span class="bar" data-kind=${kind}><span class="fill" style=${{ "--part": task.progress / 100 }}></span></span>
    </span>
  `;
}

function Facts({ task }) {
  const created = Date.parse(task.createdAt);
  const whose = !task.mine && (task.owner.email ?? t("gallery.unknownPerson"));
  return html`
    ${whose && html`<span class="whose" title=${whose}>${whose}</span> · `}${task.model}${" · "}
    <time datetime=${task.createdAt} title=${dateTime(created)}>${ago(created, halfMinute.value)}</time>
    ${task.mine && task.visibility === "team" && html` · ${t("gallery.team")}`}
    ${task.tags.length > 0 && html` · ${task.tags.slice(0, 3).map((tag) => `#${tag}`).join(" ")}`}
  `;
}

