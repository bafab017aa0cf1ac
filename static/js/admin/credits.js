// Everybody's credits: giving and taking, whether the books balance, and every movement.

import { useState } from "../../vendor/hooks.js";
import { dateTime, signed } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { Icon } from "../views/icons.js";
import { Empty, Loaded, More, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { actorText } from "./actors.js";
import { credits as api, stats } from "./api.js";
import { figure } from "./figures.js";
import { Giving } from "./giving.js";
import { FilterChoice, FilterField, Filters, usePages } from "./lists.js";
import { dayBegins } from "./limits.js";

const KINDS = ["grant", "adjust", "redeem", "hold", "settle", "release"];

export function Tab({ search }) {
  const [giving, setGiving] = useState(false);
  const [round, setRound] = useState(0);
  const asked = {
    email: search.get("email"),
    kind: search.get("kind"),
    since: dayBegins(search.get("since")),
    until: dayBegins(search.get("until"), 1),
  };
  return html`
    <div class="bar-of">
      <${Circulation} key=${round} />
      <button class="primary" onClick=${() => setGiving(true)}>${t("admin.credits.give")}</button>
    </div>
    <h3>${t("admin.ledger")}</h3>
    <${Filters} label=${t("admin.credits.find")} address=${["admin", "credits"]} search=${search}>
      <${FilterField} label=${t("admin.credits.person")} name="email" />
      <${FilterChoice} label=${t("admin.credits.kind")} name="kind" options=${KINDS.map((kind) => [kind, t(`admin.kind.${kind}`)])} />
      <${FilterField} label=${t("admin.since")} name="since" type="date" />
      <${FilterField} label=${t("admin.until")} name="until" type="date" />
    <//>
    <${Ledger} key=${round} asked=${asked} />
    ${giving && html`<${Giving} onDone=${() => setRound((was) => was + 1)} onClose=${() => setGiving(false)} />`}
  `;
}

/** All credits that there are, and whether they add up. */
function Circulation() {
  const all = useLoaded(async () => ({ ...(await stats()).credits, ...(await api.check()) }));
  return html`
    <${Loaded} from=${all}>
      ${({ available, held, balanced, complaints }) => html`
        <div>
          <p>${t("admin.credits.circulation", { available: figure(available), held: figure(held) })}</p>
          ${balanced
            ? html`<p class="good"><${Icon} name="check" /> ${t("admin.credits.balanced")}</p>`
            : html`
                <details class="problem">
                  <summary>${t("admin.credits.unbalanced", { count: complaints.length })}</summary>
                  <ul>${complaints.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
                </details>
              `}
        </div>
      `}
    <//>
  `;
}

function Ledger({ asked }) {
  const load = async (after) => {
    const { entries, hasMore } = await api.ledger({ ...asked, after });
    return { rows: entries, hasMore };
  };
  const pages = usePages(load, ({ id }) => id, Object.values(asked));
  if (pages.error?.code === "not_found") return html`<${Empty} title=${t("admin.credits.nobodyFound")} />`;
  if (pages.error) return html`<p class="problem" role="alert">${errorText(pages.error)}</p>`;
  return html`
    <${Loaded} from=${pages}>
      ${() =>
        pages.rows.length
          ? html`<${Table} caption=${t("admin.ledger")} columns=${columns()} rows=${pages.rows} id=${({ id }) => id} />`
          : html`<${Empty} title=${t("admin.ledger.none")} />`}
    <//>
    ${pages.hasMore && html`<${More} load=${pages.more} />`}
    ${pages.rows.length > 0 &&
    html`<p><a class="button" href=${api.ledgerFile({ email: asked.email })} download><${Icon} name="download" />${t("admin.ledger.file")}</a></p>`}
  `;
}

const columns = () => [
  { title: t("admin.when"), cell: ({ at }) => html`<time datetime=${at}>${dateTime(at)}</time>` },
  { title: t("admin.credits.person"), cell: ({ userId, email }) => html`<a class="email" href=${to("admin", "people", userId)}>${email}</a>` },
  { title: t("admin.credits.kind"), cell: ({ kind }) => t(`admin.kind.${kind}`) },
  { title: t("admin.available"), numeric: true, cell: ({ available }) => signed(available) },
  { title: t("admin.held"), numeric: true, cell: ({ held }) => signed(held) },
  {
    title: t("admin.credits.for"),
    cell: ({ videoId, model, note }) => html`
      ${videoId && html`<a href=${to("video", videoId)}>${model ?? videoId}</a>${" "}`}${note}
    `,
  },
  { title: t("admin.by"), cell: ({ actor, actorEmail }) => actorEmail ?? actorText(actor) },
];
