// What is behind a video: its files, each create that was sent for it, and where its credits went.

import { fileAddress } from "../api.js";
import { dateTime, signed, timeOfDay } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Copyable } from "../views/copyable.js";
import { Icon } from "../views/icons.js";
import { Loaded } from "../views/loaded.js";
import { sizeText } from "../views/size.js";
import { Table } from "../views/table.js";
import { videos } from "./api.js";
import { useReloaded } from "./following.js";

export function Details({ task }) {
  const details = useReloaded(() => videos.details(task.videoId), task.videoId, `${task.stage} ${task.videoUrl ? 1 : 0} ${task.error?.code}`);
  return html`
    <${Loaded} from=${details}>
      ${(found) => html`
        ${found.files.length > 0 && html`<${Files} task=${task} files=${found.files} />`}
        ${found.ledger && html`<${Money} task=${task} ledger=${found.ledger} />`}
        ${found.attempts && html`<${Attempts} attempts=${found.attempts} />`}
      `}
    <//>
  `;
}

function Files({ task, files }) {
  const columns = [
    { title: t("video.file"), cell: (file) => t(`video.file.${file.variant}`) },
    { title: t("video.file.kind"), cell: (file) => file.mediaType },
    { title: t("video.file.size"), cell: (file) => sizeText(file.bytes), numeric: true },
    {
      title: t("action.download"),
      cell: (file) =>
        file.url
          ? html`<a class="button" href=${fileAddress(file.url)} download=${`${task.videoId}-${file.variant}`}
              aria-label=${t("video.file.download", { name: t(`video.file.${file.variant}`) })}><${Icon} name="download" /></a>`
          : html`<span class="quiet">${t("video.file.gone")}</span>`,
    },
  ];
  return html`
    <section class="panel">
      <h3>${t("video.files")}</h3>
      <${Table} caption=${t("video.files")} columns=${columns} rows=${files} id=${(file) => file.variant} />
    </section>
  `;
}

function Money({ task, ledger }) {
  const sum = (kind) => ledger.filter((entry) => entry.kind === kind);
  const settled = sum("settle").length > 0;
  const released = sum("release").length > 0;
  const word = task.credits === 0 ? "free" : settled ? "settled" : released ? "released" : "held";
  const columns = [
    { title: t("video.money.when"), cell: (entry) => dateTime(entry.at) },
    { title: t("video.money.what"), cell: (entry) => t(`video.money.${entry.kind}`) },
    { title: t("video.money.available"), cell: (entry) => signed(entry.available), numeric: true },
    { title: t("video.money.onHold"), cell: (entry) => signed(entry.held), numeric: true },
    { title: t("video.money.by"), cell: (entry) => t(`video.by.${entry.by}`) },
  ];
  return html`
    <section class="panel">
      <h3>${t("video.money")}</h3>
      <p>${t(`video.money.now.${word}`, { credits: task.credits })}</p>
      ${ledger.length > 0 && html`<${Table} caption=${t("video.money")} columns=${columns} rows=${ledger} id=${(entry) => entry.id} />`}
    </section>
  `;
}

function Attempts({ attempts }) {
  return html`
    <section class="panel">
      <h3>${t("video.attempts")}</h3>
      ${attempts.length === 0 && html`<p class="quiet">${t("video.attempts.none")}</p>`}
      <ol class="attempts">
        ${attempts.map(
          ({ outcome, ...attempt }) => html`
            <li key=${attempt.id}>
              <p>
                <strong>${t("video.attempt", { number: attempt.number, upstream: attempt.upstream })}</strong>${" "}
                <time class="quiet" datetime=${attempt.sentAt} title=${dateTime(attempt.sentAt)}>${timeOfDay(attempt.sentAt)}</time>
              </p>
              <p>
                ${outcome ? t(`video.outcome.${outcome}`) : t("video.outcome.open")}
                ${attempt.httpStatus && html` <span class="quiet">HTTP ${attempt.httpStatus}</span>`}
              </p>
              ${attempt.answer && html`<pre class="answer" dir="auto">${attempt.answer}</pre>`}
              ${attempt.externalVideoId && html`<${Copyable} label=${t("card.externalId", { upstream: attempt.upstream })} text=${attempt.externalVideoId} />`}
              <${Copyable} label=${t("video.attempt.id")} text=${attempt.id} />
            </li>
          `,
        )}
      </ol>
    </section>
  `;
}
