// My credits: what there is, what the plan allows, what was used, and every movement.

import { useState } from "../../vendor/hooks.js";
import { useComputed, useSignalEffect } from "../../vendor/signals.js";
import { dateTime, number } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { isEnded, job, order } from "../state.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { credits as api } from "./api.js";
import { Ledger } from "./ledger.js";
import { limitsOf } from "./plan.js";
import { Redeem } from "./redeem.js";
import { Usage } from "./usage.js";

const SETTLE_MS = 1_000;

export function Credits() {
  const [round, setRound] = useState(0);
  const standing = useLoaded(api.standing, [round]);
  useMoves(standing.again);
  return html`
    <${Loaded} from=${standing}>
      ${(about) => html`
        <${Balance} about=${about} />
        <${Plan} about=${about} />
        <${Usage} priced=${about.enabled} />
        <${Redeem} onRedeemed=${() => setRound(round + 1)} />
        <${Ledger} round=${round} />
      `}
    <//>
  `;
}

/** Calls `look` a moment after videos have begun or ended: credits move with them. */
function useMoves(look) {
  const moves = useComputed(() => order.value.map((id) => isEnded(job(id).value)).join());
  const [known] = useState({ first: true });
  useSignalEffect(() => {
    void moves.value;
    if (known.first) return void (known.first = false);
    const timer = setTimeout(look, SETTLE_MS);
    return () => clearTimeout(timer);
  });
}

function Balance({ about }) {
  const { enabled, available, held, plan, monthlyCreditsAt } = about;
  return html`
    <section aria-labelledby="balance-title">
      <h3 id="balance-title">${t("account.balance.title")}</h3>
      ${!enabled && html`<p class="notice">${t("account.balance.free")}</p>`}
      <dl class="amounts">
        <div><dt>${t("account.balance.available")}</dt><dd>${number(available)}</dd></div>
        <div><dt>${t("account.balance.held")}</dt><dd>${number(held)}</dd></div>
      </dl>
      ${(enabled || held > 0) && html`<p class="quiet">${t("account.balance.heldText")}</p>`}
      ${monthlyCreditsAt &&
      html`<p>${t("account.balance.monthly", { count: number(plan.monthlyCredits), when: dateTime(monthlyCreditsAt) })}</p>`}
    </section>
  `;
}

function Plan({ about }) {
  const { plan, used } = about;
  return html`
    <section aria-labelledby="plan-title">
      <h3 id="plan-title">${t("account.plan.title", { name: plan.name })}</h3>
      ${plan.until && html`<p class="quiet">${t("account.plan.until", { when: dateTime(plan.until) })}</p>`}
      ${!plan.mayGenerate && html`<p class="notice warn">${t("account.plan.mayNot")}</p>`}
      <ul class="bounds">
        ${limitsOf(plan, used).map((limit) => html`<${Limit} key=${limit.name} ...${limit} />`)}
      </ul>
      <p class="quiet">
        ${plan.concurrency > 0 ? t("account.plan.concurrency", { count: number(plan.concurrency) }) : t("account.plan.concurrencyFree")}
      </p>
      <p class="quiet">${t(`account.priority.${plan.priority}`)}</p>
    </section>
  `;
}

/** A bar where there is a limit, otherwise the number alone. */
function Limit({ name, used, limit, level }) {
  const id = `limit-${name}`;
  return html`
    <li>
      <span id=${id}>${t(`account.limit.${name}`)}</span>
      <span class="numeric">
        ${limit ? t("account.limit.of", { used: number(used), limit: number(limit) }) : t("account.limit.free", { used: number(used) })}
      </span>
      ${limit > 0 &&
      html`
        <div class="meter" role="meter" aria-labelledby=${id} aria-valuemin="0" aria-valuemax=${limit}
          aria-valuenow=${Math.min(used, limit)} data-level=${level} style=${{ "--part": Math.min(1, used / limit) }}></div>
      `}
      ${level === "full" && html`<span class="problem">${t("account.limit.full")}</span>`}
    </li>
  `;
}
