// What a video is: its ids, everything that was asked for, and from when its moments are.

import { fileAddress } from "../api.js";
import { clock, dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Copyable } from "../views/copyable.js";

export function Facts({ task }) {
  const took = task.completedAt && (Date.parse(task.completedAt) - Date.parse(task.createdAt)) / 1_000;
  const rows = [
    [t("card.id"), html`<${Copyable} label=${t("card.id")} text=${task.videoId} />`],
    [
      t("card.externalId", { upstream: task.upstream }),
      task.externalVideoId
        ? html`<${Copyable} label=${t("card.externalId", { upstream: task.upstream })} text=${task.externalVideoId} />`
        : html`<span class="quiet">${t("card.noExternalId")}</span>`,
    ],
    [t("video.model"), html`<a href=${to("gallery", [["model", task.model]])}>${task.model}</a>`],
    [t("video.upstream"), task.upstream],
    [t("video.length"), t("composer.secondsOption", { count: task.seconds })],
    [t("video.size"), `${task.size.replace("x", " × ")} · ${t(`size.${task.orientation}`)}`],
    [t("video.operation"), t(`video.operation.${task.operation}`)],
    [t("video.priority"), t(`video.priority.${task.priority}`)],
    task.upstreamCost !== null && [t("video.upstreamCost"), String(task.upstreamCost)],
    [t("video.owner"), task.mine ? t("video.you") : html`<a href=${to("gallery", [["owner", task.owner.id]])}>${task.owner.email ?? task.owner.id}</a>`],
    [t("video.visibility"), t(`video.visibility.${task.visibility}`)],
    task.batchId && [t("video.batch"), html`<${Copyable} label=${t("video.batch")} text=${task.batchId} />`],
    [t("video.created"), dateTime(task.createdAt)],
    task.submittedAt && [t("video.submitted"), dateTime(task.submittedAt)],
    task.completedAt && [t("video.completed"), `${dateTime(task.completedAt)} · ${t("card.took", { time: clock(took) })}`],
    task.expiresAt && [t("video.expires"), dateTime(task.expiresAt)],
    task.filesRemovedAt && [t("video.removed"), dateTime(task.filesRemovedAt)],
  ].filter(Boolean);
  return html`
    <section class="panel" aria-labelledby="facts-title">
      <h3 id="facts-title">${t("video.facts")}</h3>
      <dl class="pairs">
        ${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
      </dl>
      ${task.referenceUrl &&
      html`
        <figure class="reference">
          <img src=${fileAddress(task.referenceUrl)} alt=${t("video.reference")} loading="lazy" />
          <figcaption class="quiet">${t("video.referenceText")}</figcaption>
        </figure>
      `}
    </section>
  `;
}
