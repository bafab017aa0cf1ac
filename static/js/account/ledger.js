// Every movement of my credits: newest first, page by page, of one kind or some days, and as a file.

import { useState } from "../../vendor/hooks.js";
import { dateTime, signed } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Icon } from "../views/icons.js";
import { Empty, Loaded, More, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { credits as api } from "./api.js";
import { KINDS, wishOf, wordsOf } from "./entries.js";
import { Choice } from "./pickers.js";

const PAGE = 25;
const NOTHING = { kind: "", from: "", to: "" };

/** Loaded anew when `round` changes. */
export function Ledger({ round }) {
  const [filter, setFilter] = useState(NOTHING);
  const wish = { ...wishOf(filter), limit: PAGE };
  const page = useLoaded(() => api.ledger(wish), [filter, round]);
  const more = async () => {
    const next = await api.ledger({ ...wish, after: page.value.entries.at(-1).id });
    page.put({ ...next, entries: [...page.value.entries, ...next.entries] });
  };
  return html`
    <section aria-labelledby="ledger-title">
      <div class="headed">
        <h3 id="ledger-title">${t("account.ledger.title")}</h3>
        <a class="button" href=${api.file()} download="ledger.csv"><${Icon} name="download" />${t("account.ledger.file")}</a>
      </div>
      <${Filters} filter=${filter} onChange=${setFilter} />
      <${Loaded} from=${page}>
        ${({ entries, hasMore }) =>
          entries.length === 0
            ? html`<${Nothing} filtered=${filter !== NOTHING} onAll=${() => setFilter(NOTHING)} />`
            : html`<${Rows} entries=${entries} />${hasMore && html`<${More} load=${more} />`}`}
      <//>
    </section>
  `;
}

function Filters({ filter, onChange }) {
  const day = (name) => html`
    <label class="choice">
      <span>${t(`account.ledger.${name}`)}</span>
      <input type="date" autocomplete="off" value=${filter[name]} onChange=${(event) => onChange({ ...filter, [name]: event.target.value })} />
    </label>
  `;
  return html`
    <div class="pickers">
      <${Choice} label=${t("account.ledger.kind")} value=${filter.kind} onChange=${(kind) => onChange({ ...filter, kind })}
        options=${[["", t("account.ledger.all")], ...KINDS.map((kind) => [kind, t(`account.kind.${kind}`)])]} />
      ${day("from")} ${day("to")}
    </div>
  `;
}

const Nothing = ({ filtered, onAll }) =>
  filtered
    ? html`<${Empty} title=${t("account.ledger.noneFound")}><button onClick=${onAll}>${t("account.ledger.showAll")}</button><//>`
    : html`<${Empty} title=${t("account.ledger.none")}><p class="quiet">${t("account.ledger.noneText")}</p><//>`;

function Rows({ entries }) {
  const columns = [
    { title: t("account.ledger.when"), cell: ({ at }) => dateTime(at) },
    { title: t("account.ledger.what"), cell: (entry) => html`<${What} entry=${entry} />` },
    { title: t("account.balance.available"), numeric: true, cell: ({ available }) => signed(available) },
    { title: t("account.balance.held"), numeric: true, cell: ({ held }) => signed(held) },
  ];
  return html`<${Table} caption=${t("account.ledger.rows")} columns=${columns} rows=${entries} id=${({ id }) => id} />`;
}

function What({ entry }) {
  const { key, values, note } = wordsOf(entry);
  return html`
    <div class="what">
      <span>${t(key, values)}</span>
      ${note && html`<span class="quiet">${t("account.entry.note", { note })}</span>`}
      ${entry.videoId &&
      html`<a class="quiet" href=${to("video", entry.videoId)}>${t("account.entry.video", { model: entry.model ?? entry.videoId })}</a>`}
      ${entry.by === "administrator" && html`<span class="quiet">${t("account.entry.byAdministrator")}</span>`}
    </div>
  `;
}
