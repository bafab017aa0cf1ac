// Who did what, when, and from where.

import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Empty, Loaded, More } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { actorText } from "./actors.js";
import { audit } from "./api.js";
import { FilterChoice, FilterField, Filters, usePages } from "./lists.js";
import { dayBegins } from "./limits.js";

/** What actions begin with; the rest of each has words of its own. */
const ABOUT = ["user", "session", "link", "identity", "key", "plan", "credits", "code", "job", "share", "reference", "template", "webhook", "upstream", "setting", "signing_key"];

export function Tab({ search }) {
  const asked = {
    actor: search.get("actor"),
    action: search.get("about") ? `${search.get("about")}.` : undefined,
    target: search.get("target"),
    since: dayBegins(search.get("since")),
    until: dayBegins(search.get("until"), 1),
  };
  const load = async (after) => {
    const { entries, hasMore } = await audit({ ...asked, after });
    return { rows: entries, hasMore };
  };
  const pages = usePages(load, ({ id }) => id, [search.toString()]);
  return html`
    <p class="quiet">${t("admin.audit.text")}</p>
    <${Filters} label=${t("admin.audit.find")} address=${["admin", "audit"]} search=${search}>
      <${FilterField} label=${t("admin.audit.actor")} name="actor" placeholder=${t("admin.audit.exactly")} />
      <${FilterChoice} label=${t("admin.audit.about")} name="about" options=${ABOUT.map((each) => [each, t(`admin.about.${each}`)])} />
      <${FilterField} label=${t("admin.audit.target")} name="target" />
      <${FilterField} label=${t("admin.since")} name="since" type="date" />
      <${FilterField} label=${t("admin.until")} name="until" type="date" />
    <//>
    <${Loaded} from=${pages}>
      ${() =>
        pages.rows.length
          ? html`<${Table} caption=${t("admin.tab.audit")} columns=${columns()} rows=${pages.rows} id=${({ id }) => id} />`
          : html`<${Empty} title=${t("admin.audit.none")} />`}
    <//>
    ${pages.hasMore && html`<${More} load=${pages.more} />`}
  `;
}

const columns = () => [
  { title: t("admin.when"), cell: ({ at }) => html`<time datetime=${at}>${dateTime(at)}</time>` },
  {
    title: t("admin.audit.actor"),
    cell: ({ actor, email }) => (email ? html`<a class="email" href=${to("admin", "people", actor)}>${email}</a>` : actorText(actor)),
  },
  {
    title: t("admin.audit.what"),
    cell: ({ action, detail }) => html`
      <div>
        <span title=${action}>${words(action)}</span>
        ${detail && html`<small class="quiet">${detail}</small>`}
      </div>
    `,
  },
  { title: t("admin.audit.target"), cell: ({ target }) => target && html`<a href=${to("admin", "audit", { target })}><code class="cut" title=${target}>${target}</code></a>` },
  { title: t("admin.audit.address"), cell: ({ address, requestId }) => html`<span title=${requestId}>${address}</span>` },
];

const words = (action) => {
  const name = action.replace(".", "_");
  return t(`admin.action.${name}`);
};
