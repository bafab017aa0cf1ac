// One video in doubt: what is known of it, and the decisions with what they cost.

import { useState } from "../../../vendor/hooks.js";
import { confirmed } from "../../actions.js";
import { NONE, dateTime } from "../../format.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { to } from "../../router.js";
import { Copyable } from "../../views/copyable.js";
import { Table } from "../../views/table.js";
import { actorText } from "../actors.js";
import { doubts as api } from "./api.js";
import { count } from "./numbers.js";

export function DoubtCard({ job, deciding }) {
  const title = `doubt-${job.videoId}`;
  const says = { owner: job.owner, upstream: job.upstream, credits: count(job.credits) };
  const ask = async (what, work) => {
    const yes = await confirmed({ title: t(`ops.ask.${what}.title`), text: t(`ops.ask.${what}.text`, says), action: t(`ops.doubt.${what}`) });
    if (yes) await deciding.decide([job], work);
  };
  const adopt = async (id) => {
    const yes = await confirmed({ title: t("ops.ask.adopt.title"), text: t("ops.ask.adopt.text", { ...says, id }), action: t("ops.doubt.adopt") });
    if (yes) await deciding.decide([job], () => api.adopt(job.videoId, id));
  };
  const resting = deciding.busy;
  return html`
    <li class="ops-card" aria-labelledby=${title}>
      <header>
        <h4 id=${title}>${job.prompt}</h4>
        <a href=${to("video", job.videoId)}>${t("ops.video")}</a>
      </header>
      <${Known} job=${job} />
      ${job.answer && html`<blockquote class="ops-words">${job.answer}</blockquote>`}
      <p>${job.finding ? t(`ops.finding.${job.finding}`) : t("ops.finding.none")} <span class="quiet">${job.note}</span></p>
      ${job.candidates.length > 0 && html`<${Candidates} job=${job} onAdopt=${adopt} resting=${resting} />`}
      ${job.decisions.length > 0 && html`<${Decisions} decisions=${job.decisions} />`}
      <ul class="ops-ways">
        <li>
          <button aria-disabled=${resting} onClick=${() => deciding.decide([job], () => api.look(job.videoId))}>${t("ops.doubt.look")}</button>
          <span class="quiet">${t("ops.doubt.look.cost")}</span>
        </li>
        <li><${OtherId} onAdopt=${adopt} resting=${resting} /></li>
        <li>
          <button aria-disabled=${resting} onClick=${() => ask("payAgain", () => api.payAgain(job.videoId, job.attemptId))}>${t("ops.doubt.payAgain")}</button>
          <span class="quiet">${t("ops.doubt.payAgain.cost", says)}</span>
        </li>
        <li>
          <button aria-disabled=${resting} onClick=${() => ask("giveUp", () => api.giveUp(job.videoId))}>${t("ops.doubt.giveUp")}</button>
          <span class="quiet">${t("ops.doubt.giveUp.cost", says)}</span>
        </li>
      </ul>
    </li>
  `;
}

function Known({ job }) {
  const facts = [
    [t("ops.owner"), job.owner],
    [t("ops.upstream"), `${job.upstream} · ${job.upstreamModel}`],
    [t("ops.wish"), `${t("ops.seconds", { s: job.seconds })} · ${job.size}`],
    [t("ops.credits"), t("ops.credits.held", { count: count(job.credits) })],
    [t("ops.sent"), job.submittedAt ? `${dateTime(job.submittedAt)}${t("text.aside", { text: t("ops.attempt", { count: job.attempt }) })}` : NONE],
    [t("ops.answered"), job.httpStatus ? `HTTP ${job.httpStatus}` : t("ops.answered.not")],
    [t("ops.lookedAt"), job.lookedAt ? dateTime(job.lookedAt) : t("ops.lookedAt.not")],
    [t("ops.nextLook"), job.nextLookAt ? dateTime(job.nextLookAt) : t("ops.nextLook.person")],
  ];
  return html`
    <dl class="ops-facts">
      ${facts.map(([title, value]) => html`<div><dt>${title}</dt><dd>${value}</dd></div>`)}
      <div><dt>${t("ops.requestId")}</dt><dd><${Copyable} label=${t("ops.requestId")} text=${job.attemptId} /></dd></div>
      ${job.externalVideoId &&
      html`<div><dt>${t("ops.externalId")}</dt><dd><${Copyable} label=${t("ops.externalId")} text=${job.externalVideoId} /></dd></div>`}
      ${job.cancelRequested && html`<div><dt>${t("ops.cancel")}</dt><dd>${t("ops.cancel.asked")}</dd></div>`}
    </dl>
  `;
}

function Candidates({ job, onAdopt, resting }) {
  const columns = [
    { title: t("ops.externalId"), cell: ({ externalVideoId }) => html`<code>${externalVideoId}</code>` },
    { title: t("ops.prompt"), cell: ({ prompt }) => prompt?.slice(0, 120) ?? NONE },
    { title: t("ops.wish"), cell: ({ model, seconds, size }) => [model, seconds && t("ops.seconds", { s: seconds }), size].filter(Boolean).join(" · ") },
    { title: t("ops.made"), cell: ({ createdAt }) => (createdAt ? dateTime(createdAt) : NONE) },
    { title: t("ops.status"), cell: ({ status }) => status },
    {
      title: t("ops.doubt.adopt"),
      cell: ({ externalVideoId }) => html`
        <button aria-disabled=${resting} onClick=${() => onAdopt(externalVideoId)} aria-label=${t("ops.doubt.adoptOf", { id: externalVideoId })}>
          ${t("ops.doubt.adopt")}
        </button>
      `,
    },
  ];
  return html`
    <p><strong>${t("ops.candidates", { upstream: job.upstream })}</strong></p>
    <${Table} caption=${t("ops.candidates", { upstream: job.upstream })} columns=${columns} rows=${job.candidates} id=${({ externalVideoId }) => externalVideoId} />
  `;
}

const ACTIONS = { "job.look_again": "look", "job.adopt": "adopt", "job.pay_again": "payAgain", "job.give_up": "giveUp" };

function Decisions({ decisions }) {
  return html`
    <details class="ops-more">
      <summary>${t("ops.decisions", { count: count(decisions.length) })}</summary>
      <ul class="ops-failures">
        ${decisions.map(
          ({ at, actor, action, detail }) => html`
            <li key=${at}><time>${dateTime(at)}</time> ${t(`ops.doubt.${ACTIONS[action]}`)} <span class="quiet">${actorText(actor)} ${detail}</span></li>
          `,
        )}
      </ul>
    </details>
  `;
}

/** For whoever found it elsewhere, in the upstream's own console for example. */
function OtherId({ onAdopt, resting }) {
  const [id, setId] = useState("");
  const send = (event) => {
    event.preventDefault();
    if (id.trim() && !resting) onAdopt(id.trim());
  };
  return html`
    <form class="ops-id" onSubmit=${send}>
      <label>
        <span class="visually-hidden">${t("ops.doubt.otherId")}</span>
        <input name="externalVideoId" autocomplete="off" autocapitalize="none" spellcheck=${false} maxlength="512" value=${id}
          placeholder=${t("ops.doubt.otherId")} onInput=${({ target }) => setId(target.value)} />
      </label>
      <button aria-disabled=${resting || !id.trim()}>${t("ops.doubt.adopt")}</button>
    </form>
    <span class="quiet">${t("ops.doubt.adopt.cost")}</span>
  `;
}
