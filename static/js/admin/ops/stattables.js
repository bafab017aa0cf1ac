// The numbers of the statistics as tables, which can be copied for spreadsheets.

import { useState } from "../../../vendor/hooks.js";
import { copy } from "../../actions.js";
import { NONE } from "../../format.js";
import { html } from "../../html.js";
import { errorText, t } from "../../i18n.js";
import { Icon } from "../../views/icons.js";
import { Table } from "../../views/table.js";
import { csv } from "./csv.js";
import { count, duration, money, rate } from "./numbers.js";
import { usageBy } from "./periods.js";

const SHOWN_MS = 1_600;

/** `columns` as in a table, each with `raw(row)`: the plain value for a spreadsheet. */
function Numbers({ title, columns, rows, id }) {
  const [done, setDone] = useState(false);
  const press = async () => {
    const text = csv(columns.map(({ title: name }) => name), rows.map((row) => columns.map(({ raw }) => raw(row))));
    if (!(await copy(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  if (rows.length === 0) return null;
  return html`
    <section class="ops-table">
      <header>
        <h3>${title}</h3>
        <button onClick=${press} aria-label=${t("ops.stat.copyOf", { title })}>
          <${Icon} name=${done ? "check" : "copy"} />${done ? t("action.copied") : t("ops.stat.copy")}
        </button>
      </header>
      <${Table} caption=${title} columns=${columns} rows=${rows} id=${id} />
    </section>
  `;
}

const byName = ({ name }) => name;
const number = (title, key, show = count) => ({ title, numeric: true, cell: (row) => show(row[key]), raw: (row) => row[key] });

export const EndedTable = ({ title, first, rows }) => html`
  <${Numbers} title=${title} rows=${rows} id=${byName} columns=${[
    { title: first, cell: byName, raw: byName },
    { title: t("ops.stat.success"), numeric: true, cell: rate, raw: ({ completed, failed }) => (completed + failed ? completed / (completed + failed) : null) },
    number(t("ops.stat.completed"), "completed"),
    number(t("ops.stat.failed"), "failed"),
    number(t("ops.stat.cancelled"), "cancelled"),
    number(t("ops.stat.median"), "median", duration),
    number(t("ops.stat.p90"), "p90", duration),
  ]} />
`;

export const UsageTable = ({ title, first, rows, by }) => html`
  <${Numbers} title=${title} rows=${usageBy(rows, by)} id=${byName} columns=${[
    { title: first, cell: byName, raw: byName },
    number(t("ops.stat.videos"), "videos"),
    number(t("ops.stat.completed"), "completed"),
    number(t("ops.stat.failed"), "failed"),
    number(t("ops.stat.seconds"), "seconds"),
    number(t("ops.stat.settled"), "settled"),
    number(t("ops.stat.held"), "held"),
    number(t("ops.stat.cost"), "upstreamCost", (value) => (value === null ? NONE : money(value))),
  ]} />
`;

export const Reasons = ({ rows }) => html`
  <${Numbers} title=${t("ops.stat.reasons")} rows=${rows} id=${({ code }) => code} columns=${[
    { title: t("ops.why"), cell: ({ code }) => errorText({ code, message: code }), raw: ({ code }) => code },
    number(t("ops.stat.videos"), "videos"),
  ]} />
`;
