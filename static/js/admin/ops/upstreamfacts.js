// What an upstream is called upon for, what it can do, how long it takes and how it failed.

import { dateTime } from "../../format.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { to } from "../../router.js";
import { Icon } from "../../views/icons.js";
import { Table } from "../../views/table.js";
import { count, duration } from "./numbers.js";

export function Models({ about }) {
  const models = Object.entries(about.models);
  const where = about.source === "simulator" ? t("ops.up.embedded") : about.baseUrl;
  return html`
    <dl class="ops-rows">
      <dt>${t("ops.up.address")}</dt>
      <dd><span>${where}</span> <span class="quiet">${about.dialect} · ${about.profile}</span></dd>
      <dt>${t("ops.up.models")}</dt>
      <dd>
        ${models.length === 0
          ? html`<span class="quiet">${about.source === "simulator" ? t("ops.up.simulated") : t("ops.up.everyModel")}</span>`
          : models.map(([ours, theirs]) => html`<span class="ops-map" key=${ours}><code>${ours}</code> → <code>${theirs}</code></span>`)}
      </dd>
    </dl>
  `;
}

export function Abilities({ about: { abilities, hasWebhookSecret } }) {
  const { operations, listing, cancels, idempotent, characters } = abilities;
  const can = [
    ["list", listing !== "none"],
    ["cancel", cancels],
    ["idempotent", idempotent],
    ["remix", operations.includes("remix")],
    ["edit", operations.includes("edit")],
    ["extend", operations.includes("extend")],
    ["characters", characters],
    ["webhook", hasWebhookSecret],
  ];
  return html`
    <ul class="ops-can" aria-label=${t("ops.can")}>
      ${can.map(
        ([name, able]) => html`
          <li key=${name} data-able=${able} title=${t(`ops.can.${name}.text`)}>
            <${Icon} name=${able ? "check" : "close"} />
            <span class="visually-hidden">${able ? t("ops.can.yes") : t("ops.can.no")}</span>${t(`ops.can.${name}`)}
          </li>
        `,
      )}
    </ul>
  `;
}

/** Its own words beside what they mean. */
export function Failures({ failures }) {
  if (failures.length === 0) return null;
  return html`
    <details class="ops-more">
      <summary>${t("ops.failures", { count: count(failures.length) })}</summary>
      <ul class="ops-failures">
        ${failures.map(
          ({ videoId, at, outcome, httpStatus, detail }) => html`
            <li key=${`${videoId} ${at}`}>
              <p>
                <time>${dateTime(at)}</time> <strong>${t(`ops.outcome.${outcome}`)}</strong>
                ${httpStatus && html` <span class="quiet">HTTP ${httpStatus}</span>`}
                ${" "}<a href=${to("video", videoId)}>${t("ops.video")}</a>
              </p>
              ${detail && html`<blockquote class="ops-words">${detail}</blockquote>`}
            </li>
          `,
        )}
      </ul>
    </details>
  `;
}

export function Durations({ name, durations }) {
  if (durations.length === 0) return null;
  const time = (key) => ({ title: t(`ops.durations.${key}`), numeric: true, cell: (row) => duration(row[key]) });
  const columns = [
    { title: t("ops.model"), cell: ({ model }) => model },
    { title: t("ops.durations.kind"), cell: ({ seconds, size }) => [seconds && t("ops.seconds", { s: seconds }), size].filter(Boolean).join(" · ") || t("ops.any") },
    { title: t("ops.durations.samples"), numeric: true, cell: ({ samples }) => count(samples) },
    time("p50"),
    time("p90"),
    time("p99"),
  ];
  const id = ({ model, seconds, size }) => `${model} ${seconds} ${size}`;
  return html`
    <details class="ops-more">
      <summary>${t("ops.durations")}</summary>
      <${Table} caption=${t("ops.durationsOf", { name })} columns=${columns} rows=${durations} id=${id} />
    </details>
  `;
}
