// What came of everything that was asked for: how much, how well, how fast, for how much.

import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { go, to } from "../../router.js";
import { serverNow } from "../../api.js";
import { Chart } from "../../views/chart.js";
import { atMost, daily } from "../../views/chart-data.js";
import { Loaded, useLoaded } from "../../views/loaded.js";
import { statistics, stats, usage } from "./api.js";
import { count, duration, rate } from "./numbers.js";
import { PERIODS, endedByDay, periodOf, timesByDay } from "./periods.js";
import { EndedTable, Reasons, UsageTable } from "./stattables.js";
import { useWatched } from "./watched.js";

const BY = ["model", "email"];

export function Tab({ search }) {
  const { days } = periodOf(search.get("days"), serverNow());
  const by = BY.includes(search.get("by")) ? search.get("by") : "model";
  const found = useLoaded(async () => {
    const period = periodOf(days, serverNow());
    const asked = { since: new Date(period.since).toISOString(), until: new Date(period.until).toISOString() };
    const [ended, used] = await Promise.all([statistics(asked), usage(asked)]);
    return { period, ended, usage: used.usage };
  }, [days]);
  const choose = (change) => go(to("admin", "statistics", { days, by, ...change }), { replace: true });
  return html`
    <div class="ops-top">
      <label class="choice">
        <span>${t("ops.stat.period")}</span>
        <select value=${days} onChange=${({ target }) => choose({ days: target.value })}>
          ${PERIODS.map((each) => html`<option value=${each}>${t("ops.stat.days", { days: each })}</option>`)}
        </select>
      </label>
      <p class="quiet">${t("ops.stat.utc")}</p>
    </div>
    <${Now} />
    <${Loaded} from=${found}>${(value) => html`<${Found} ...${value} by=${by} choose=${choose} />`}<//>
  `;
}

/** How it is at this moment. */
function Now() {
  const now = useWatched(stats);
  return html`
    <${Loaded} from=${now}>
      ${({ jobs, disputes, credits }) => {
        const of = (...stages) => stages.reduce((sum, stage) => sum + (jobs[stage] ?? 0), 0);
        const decisions = of("unknown") + disputes;
        return html`
          <dl class="ops-tiles" aria-label=${t("ops.stat.now")}>
            <${Tile} title=${t("ops.stat.waiting")} value=${count(of("queued"))} />
            <${Tile} title=${t("ops.stat.making")} value=${count(of("submitting", "processing", "storing", "cancelling"))} />
            <${Tile} title=${t("ops.stat.decisions")} value=${decisions ? html`<a href=${to("admin", "unknown")}>${count(decisions)}</a>` : "0"} />
            <${Tile} title=${t("ops.stat.held")} value=${count(credits.held)} />
          </dl>
        `;
      }}
    <//>
  `;
}

const Tile = ({ title, value, more }) => html`
  <div><dt>${title}</dt><dd>${value}</dd>${more && html`<dd class="quiet">${more}</dd>`}</div>
`;

function Found({ period, ended, usage: used, by, choose }) {
  const { total, days } = ended;
  const spent = used.reduce((sum, { settled }) => sum + settled, 0);
  const outcome = endedByDay(days, period, { completed: t("ops.stat.completed"), failed: t("ops.stat.failed"), cancelled: t("ops.stat.cancelled") });
  const waited = timesByDay(days, period, { median: t("ops.stat.median"), p90: t("ops.stat.p90") });
  const spend = daily(used, { ...period, name: (row) => row[by], value: ({ settled }) => settled });
  return html`
    <dl class="ops-tiles" aria-label=${t("ops.stat.days", { days: period.days })}>
      <${Tile} title=${t("ops.stat.success")} value=${rate(total)}
        more=${t("ops.up.ended", { completed: count(total.completed), failed: count(total.failed) })} />
      <${Tile} title=${t("ops.stat.median")} value=${duration(total.median)} more=${t("ops.stat.fromOrder")} />
      <${Tile} title=${t("ops.stat.p90")} value=${duration(total.p90)} more=${t("ops.stat.p90Text")} />
      <${Tile} title=${t("ops.stat.spent")} value=${count(spent)} more=${t("ops.stat.spentText")} />
    </dl>
    <div class="ops-charts">
      <${Chart} label=${t("ops.stat.outcome")} times=${outcome.times} series=${outcome.series} daily />
      <${Chart} label=${t("ops.stat.waited")} unit=${t("ops.stat.secondsUnit")} times=${waited.times} series=${waited.series} daily />
      <div>
        <${Chart} label=${t("ops.stat.spend")} unit=${t("ops.stat.creditsUnit")} times=${spend.times} series=${atMost(spend.series, t("ops.stat.others"))} daily />
        <label class="choice ops-by">
          <span>${t("ops.stat.by")}</span>
          <select value=${by} onChange=${({ target }) => choose({ by: target.value })}>
            ${BY.map((each) => html`<option value=${each}>${t(`ops.stat.by.${each}`)}</option>`)}
          </select>
        </label>
      </div>
    </div>
    <${EndedTable} title=${t("ops.stat.byModel")} first=${t("ops.model")} rows=${ended.models} />
    <${EndedTable} title=${t("ops.stat.byUpstream")} first=${t("ops.upstream")} rows=${ended.upstreams} />
    <${EndedTable} title=${t("ops.stat.byDay")} first=${t("chart.day")} rows=${[...days].reverse()} />
    <${UsageTable} title=${t("ops.stat.spendModel")} first=${t("ops.model")} rows=${used} by="model" />
    <${UsageTable} title=${t("ops.stat.spendPerson")} first=${t("ops.owner")} rows=${used} by="email" />
    <${Reasons} rows=${ended.reasons} />
  `;
}
