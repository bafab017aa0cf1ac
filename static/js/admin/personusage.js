// What one person had made in the last thirty days, by model.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { credits as api } from "./api.js";
import { figure } from "./figures.js";
import { byModel } from "./limits.js";

const COLUMNS = ["videos", "completed", "failed", "seconds", "settled", "held"];

export function PersonUsage({ user }) {
  const usage = useLoaded(() => api.usage({ userId: user.id }), [user.id]);
  const columns = [
    { title: t("admin.model"), cell: ({ model }) => model },
    ...COLUMNS.map((name) => ({ title: t(`admin.usage.${name}`), numeric: true, cell: (row) => figure(row[name]) })),
  ];
  return html`
    <section class="panel" aria-labelledby="usage-title">
      <h3 id="usage-title">${t("admin.usage.title")}</h3>
      <${Loaded} from=${usage}>
        ${({ usage: days }) =>
          days.length
            ? html`<${Table} caption=${t("admin.usage.title")} columns=${columns} rows=${byModel(days)} id=${({ model }) => model} />`
            : html`<p class="quiet">${t("admin.usage.none")}</p>`}
      <//>
    </section>
  `;
}
