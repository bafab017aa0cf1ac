// One upstream on a card.

import { useState } from "../../../vendor/hooks.js";
import { confirmed } from "../../actions.js";
import { dateTime } from "../../format.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { to } from "../../router.js";
import { fresh } from "../../session.js";
import { Problem, useAttempt } from "../../views/attempt.js";
import { Icon } from "../../views/icons.js";
import { upstreams as api } from "./api.js";
import { DoctorLines } from "./doctor.js";
import { conditionOf } from "./entries.js";
import { count, duration, money, rate } from "./numbers.js";
import { Abilities, Durations, Failures, Models } from "./upstreamfacts.js";

export function UpstreamCard({ about, onChange, onDone }) {
  const attempt = useAttempt();
  const [found, setFound] = useState(null);
  const { name } = about;
  const word = conditionOf(about);
  const title = `upstream-${name}`;
  const run = (work) => attempt.run(() => fresh(work));
  const test = async () => {
    setFound(null);
    setFound((await run(() => api.test(name))) ?? null);
  };
  const turn = async () => {
    if (!about.paused && about.open) {
      const yes = await confirmed({ title: t("ops.ask.pause.title", { name }), text: t("ops.ask.pause.text"), action: t("ops.up.pause") });
      if (!yes) return;
    }
    await run(() => (about.paused || !about.open ? api.resume(name) : api.pause(name)).then(onDone));
  };
  const remove = async () => {
    const yes = await confirmed({ title: t("ops.ask.remove.title", { name }), text: t("ops.ask.remove.text"), action: t("ops.up.remove") });
    if (yes) await run(() => api.remove(name).then(onDone));
  };
  return html`
    <li class="ops-card" aria-labelledby=${title}>
      <header>
        <h3 id=${title}>${name}</h3>
        <span class="badge">${t(`ops.source.${about.source}`)}</span>
        <span class="ops-state" data-tone=${word}><i></i>${t(`ops.state.${word}`)}</span>
      </header>
      <p>
        ${t(`ops.state.${word}.text`)}
        ${about.closedSince && html` <span class="quiet">${t("ops.since", { when: dateTime(about.closedSince) })}</span>`}
        ${about.opensAt && html` <span class="quiet">${t("ops.opensAt", { when: dateTime(about.opensAt) })}</span>`}
      </p>
      ${about.reason && word === "refused" && html`<blockquote class="ops-words">${about.reason}</blockquote>`}
      <${Numbers} about=${about} />
      <${Models} about=${about} />
      <${Abilities} about=${about} />
      <${Failures} failures=${about.failures} />
      <${Durations} name=${name} durations=${about.durations} />
      ${found && html`<${DoctorLines} found=${found} onProfile=${about.source === "added" ? onChange : null} />`}
      <${Problem} attempt=${attempt} />
      <footer class="actions">
        <button aria-disabled=${attempt.resting} onClick=${test} aria-label=${t("ops.up.testOf", { name })}>
          <${Icon} name="check" />${attempt.busy ? t("form.busy") : t("ops.up.test")}
        </button>
        <button aria-disabled=${attempt.resting} onClick=${turn} aria-label=${about.paused || !about.open ? t("ops.up.resumeOf", { name }) : t("ops.up.pauseOf", { name })}>
          ${about.paused || !about.open ? t("ops.up.resume") : t("ops.up.pause")}
        </button>
        ${about.source === "added" &&
        html`
          <button onClick=${() => onChange()} aria-label=${t("ops.up.changeOf", { name })}>${t("ops.up.change")}</button>
          <button aria-disabled=${attempt.resting} onClick=${remove} aria-label=${t("ops.up.removeOf", { name })}>
            <${Icon} name="trash" />${t("ops.up.remove")}
          </button>
        `}
        ${about.source === "configuration" && html`<span class="quiet">${t("ops.up.inFile")}</span>`}
      </footer>
    </li>
  `;
}

const of = (part, whole) => (whole ? t("ops.of", { part: count(part), whole: count(whole) }) : count(part));

function Numbers({ about }) {
  const { lastDay, spend, budget, limits } = about;
  const facts = [
    [t("ops.up.inFlight"), of(about.jobs, limits.maxConcurrent)],
    [t("ops.up.waiting"), count(about.waiting)],
    [
      t("ops.up.unknown"),
      about.unknown ? html`<a href=${to("admin", "unknown")}>${count(about.unknown)}</a>` : count(0),
    ],
    [
      t("ops.up.budget"),
      budget.perMinute
        ? html`${count(budget.perMinute)} <small class="quiet">${t("ops.up.free", { count: count(budget.free ?? 0) })}</small>`
        : t("ops.unlimited"),
    ],
    [t("ops.up.spent"), spend.cap ? t("ops.of", { part: money(spend.lastDay), whole: money(spend.cap) }) : money(spend.lastDay)],
    [
      t("ops.up.success"),
      html`${rate(lastDay)} <small class="quiet">${t("ops.up.ended", { completed: count(lastDay.completed), failed: count(lastDay.failed) })}</small>`,
    ],
    [t("ops.up.median"), duration(lastDay.median)],
    [t("ops.up.p90"), duration(lastDay.p90)],
  ];
  return html`
    <dl class="ops-facts">
      ${facts.map(([title, value]) => html`<div><dt>${title}</dt><dd>${value}</dd></div>`)}
    </dl>
  `;
}
