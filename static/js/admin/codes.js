// Codes that bring credits, a plan, or both.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { halfMinute } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Empty, Loaded, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { codes as api, plans } from "./api.js";
import { figure } from "./figures.js";
import { codeState, codesOf } from "./limits.js";
import { Once } from "./once.js";
import { planOptions } from "./plansheet.js";
import { Choice, NumberField, Sheet, TextField } from "./sheet.js";

export function Tab() {
  const list = useLoaded(api.list);
  const attempt = useAttempt();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState(null);
  const done = ({ codes }) => {
    setMade(codes);
    list.again();
  };
  const revoke = async ({ id, prefix }) => {
    const texts = {
      title: t("admin.ask.code.title", { prefix }),
      text: t("admin.ask.code.text"),
      action: t("admin.ask.code.yes"),
    };
    if (await confirmed(texts)) await attempt.run(() => fresh(() => api.revoke(id).then(list.again)));
  };
  return html`
    <div class="bar-of">
      <p class="quiet">${t("admin.codes.text")}</p>
      <button class="primary" onClick=${() => setAdding(true)}>${t("admin.codes.add")}</button>
    </div>
    ${made &&
    html`<${Once} title=${t("admin.codes.madeTitle", { count: made.length })} text=${made.map(({ code }) => code).join("\n")}
      onClose=${() => setMade(null)} />`}
    <${Problem} attempt=${attempt} />
    <${Loaded} from=${list}>
      ${({ codes }) =>
        codes.length
          ? html`<${Table} caption=${t("admin.tab.codes")} columns=${columns(revoke)} rows=${codes} id=${({ id }) => id} />`
          : html`<${Empty} title=${t("admin.codes.none")}><p class="quiet">${t("admin.codes.noneText")}</p><//>`}
    <//>
    ${adding && html`<${NewCodes} onDone=${done} onClose=${() => setAdding(false)} />`}
  `;
}

const columns = (revoke) => [
  { title: t("admin.codes.code"), cell: ({ prefix }) => html`<code>${prefix}…</code>` },
  { title: t("admin.codes.worth"), cell: worth },
  { title: t("admin.codes.usesLeft"), numeric: true, cell: ({ usesLeft }) => figure(usesLeft) },
  { title: t("admin.expires"), cell: ({ expiresAt }) => (expiresAt ? dateTime(expiresAt) : t("admin.neverEnds")) },
  { title: t("admin.credits.note"), cell: ({ note }) => note },
  { title: t("admin.made"), cell: ({ createdAt }) => dateTime(createdAt) },
  {
    title: t("admin.people.state"),
    cell: (code) => {
      const state = codeState(code, halfMinute.value);
      return state === "good"
        ? html`<button aria-label=${t("admin.codes.revokeOf", { prefix: code.prefix })} onClick=${() => revoke(code)}>${t("admin.codes.revoke")}</button>`
        : html`<span class="quiet">${t(`admin.codes.state.${state}`)}</span>`;
    },
  },
];

function worth({ credits, plan, planDays }) {
  const parts = [
    credits > 0 && t("admin.codes.credits", { count: figure(credits) }),
    plan && (planDays ? t("admin.codes.planDays", { plan, days: planDays }) : t("admin.codes.planEver", { plan })),
  ];
  return parts.filter(Boolean).join(" · ");
}

function NewCodes({ onDone, onClose }) {
  const known = useLoaded(plans.list);
  return html`
    <${Sheet} title=${t("admin.codes.add")} action=${t("admin.codes.create")} wishOf=${codesOf} send=${api.create}
      said=${{ invalid_request: "admin.codes.past" }} onDone=${onDone} onClose=${onClose}>
      ${(wrong) => html`
        <${NumberField} label=${t("admin.codes.count")} name="count" placeholder="1" wrong=${wrong} />
        <${NumberField} label=${t("admin.codes.creditsEach")} name="credits" placeholder="0" unit=${t("admin.credits.unit")} wrong=${wrong} />
        <${Loaded} from=${known}>
          ${(found) => html`<${Choice} label=${t("admin.plan")} name="plan" value="" options=${[["", t("admin.codes.noPlan")], ...planOptions(found.plans)]} />`}
        <//>
        <${NumberField} label=${t("admin.codes.planFor")} name="planDays" placeholder=${t("admin.codes.forEver")} unit=${t("admin.codes.days")} wrong=${wrong} />
        <${NumberField} label=${t("admin.codes.uses")} name="uses" placeholder="1" hint=${t("admin.codes.usesText")} wrong=${wrong} />
        <${TextField} label=${t("admin.codes.lastDay")} name="expires" type="date" hint=${t("admin.codes.lastDayText")} wrong=${wrong} />
        <${TextField} label=${t("admin.credits.note")} name="note" maxlength="300" hint=${t("admin.codes.noteText")} wrong=${wrong} />
      `}
    <//>
  `;
}
