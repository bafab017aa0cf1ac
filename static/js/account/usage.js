// What I used, by day and model.

import { useMemo, useState } from "../../vendor/hooks.js";
import { serverNow } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Chart } from "../views/chart.js";
import { atMost, daily } from "../views/chart-data.js";
import { Empty, Loaded, useLoaded } from "../views/loaded.js";
import { credits as api } from "./api.js";
import { Choice } from "./pickers.js";

const DAY_MS = 86_400_000;
const SPANS = [7, 30, 90];
/** What is counted of a row; credits where videos cost some. */
const MEASURES = {
  credits: ({ settled, held }) => settled + held,
  videos: ({ videos }) => videos,
  seconds: ({ seconds }) => seconds,
};

/** `priced` says whether videos cost credits here. */
export function Usage({ priced }) {
  const [days, setDays] = useState(30);
  const [measure, setMeasure] = useState(priced ? "credits" : "videos");
  const until = useMemo(() => serverNow(), [days]);
  const since = Math.floor(until / DAY_MS) * DAY_MS - (days - 1) * DAY_MS;
  const usage = useLoaded(() => api.usage(new Date(since).toISOString()), [days]);
  const measures = Object.keys(MEASURES).filter((name) => priced || name !== "credits");
  return html`
    <section aria-labelledby="usage-title">
      <h3 id="usage-title">${t("account.usage.title")}</h3>
      <div class="pickers">
        <${Choice} label=${t("account.usage.measure")} value=${measure} onChange=${setMeasure}
          options=${measures.map((name) => [name, t(`account.usage.of.${name}`)])} />
        <${Choice} label=${t("account.usage.span")} value=${days} onChange=${(value) => setDays(Number(value))}
          options=${SPANS.map((count) => [count, t("account.usage.days", { count })])} />
      </div>
      <${Loaded} from=${usage}>
        ${({ usage: rows }) => html`<${Drawn} ...${{ rows, since, until, measure }} />`}
      <//>
    </section>
  `;
}

function Drawn({ rows, since, until, measure }) {
  if (rows.length === 0) return html`<${Empty} title=${t("account.usage.none")}><p class="quiet">${t("account.usage.noneText")}</p><//>`;
  const { times, series } = daily(rows, { since, until, name: ({ model }) => model, value: MEASURES[measure] });
  const count = (of) => rows.reduce((sum, row) => sum + row[of], 0);
  return html`
    <p class="quiet">
      ${t("account.usage.sum", { videos: count("videos"), completed: count("completed"), failed: count("failed"), seconds: count("seconds") })}
    </p>
    <${Chart} label=${t("account.usage.byDay")} unit=${t(`account.usage.unit.${measure}`)} times=${times} daily
      series=${atMost(series, t("account.usage.others"))} />
  `;
}
