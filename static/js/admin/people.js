// The people: who there is, somebody new, and the page of one of them.

import { useState } from "../../vendor/hooks.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Empty, Loaded, More, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { people as api, plans } from "./api.js";
import { figure } from "./figures.js";
import { FilterChoice, FilterField, Filters, usePages } from "./lists.js";
import { Person } from "./person.js";
import { planOptions } from "./plansheet.js";
import { RoleChoice, ROLES, Sheet, TextField } from "./sheet.js";

export function Tab({ path, search }) {
  return path.length ? html`<${Person} key=${path[0]} id=${path[0]} />` : html`<${People} search=${search} />`;
}

const columns = () => [
  {
    title: t("field.email"),
    cell: (user) => html`
      <a class="email" href=${to("admin", "people", user.id)}>${user.email}</a>
      ${user.disabledAt && html` <span class="badge bad">${t("admin.people.disabled")}</span>`}
    `,
  },
  { title: t("admin.role"), cell: ({ role }) => t(`role.${role}`) },
  { title: t("admin.plan"), cell: ({ plan }) => plan },
  { title: t("admin.available"), numeric: true, cell: ({ available }) => figure(available) },
  { title: t("admin.held"), numeric: true, cell: ({ held }) => figure(held) },
  { title: t("admin.people.seen"), cell: ({ lastSeenAt }) => (lastSeenAt ? dateTime(lastSeenAt) : t("admin.never")) },
];

function People({ search }) {
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState(null);
  const known = useLoaded(plans.list);
  const asked = Object.fromEntries(search);
  const load = async (after) => {
    const { users, hasMore } = await api.list({ ...asked, after });
    return { rows: users, hasMore };
  };
  const pages = usePages(load, ({ id }) => id, [search.toString()]);
  const done = (user) => {
    setMade(user);
    pages.again();
  };
  return html`
    <div class="bar-of">
      <p class="quiet">${t("admin.people.text")}</p>
      <button class="primary" onClick=${() => setAdding(true)}>${t("admin.people.add")}</button>
    </div>
    <div role="status">
      ${made &&
      html`<p class="notice">
        ${t("admin.people.made", { email: made.email })}${" "}
        <a href=${to("admin", "people", made.id)}>${t("admin.people.madeNext")}</a>
      </p>`}
    </div>
    <${Filters} label=${t("admin.people.find")} address=${["admin", "people"]} search=${search}>
      <${FilterField} label=${t("field.email")} name="search" />
      <${FilterChoice} label=${t("admin.role")} name="role" options=${ROLES.map((role) => [role, t(`role.${role}`)])} />
      <${FilterChoice} label=${t("admin.plan")} name="plan" options=${planOptions(known.value?.plans ?? [])} />
      <${FilterChoice} label=${t("admin.people.state")} name="disabled"
        options=${[["false", t("admin.people.enabled")], ["true", t("admin.people.disabled")]]} />
    <//>
    <${Loaded} from=${pages}>
      ${() =>
        pages.rows.length
          ? html`<${Table} caption=${t("admin.tab.people")} columns=${columns()} rows=${pages.rows} id=${({ id }) => id} />`
          : html`<${Empty} title=${t("admin.people.none")} />`}
    <//>
    ${pages.hasMore && html`<${More} load=${pages.more} />`}
    ${adding && html`<${NewPerson} onDone=${done} onClose=${() => setAdding(false)} />`}
  `;
}

function NewPerson({ onDone, onClose }) {
  const wishOf = ({ email, role }) =>
    email.trim() ? { wish: { email: email.trim(), role } } : { field: "email", key: "field.emailMissing" };
  return html`
    <${Sheet} title=${t("admin.people.add")} action=${t("admin.people.create")} wishOf=${wishOf} send=${api.create}
      said=${{ conflict: "admin.people.exists" }} onDone=${onDone} onClose=${onClose}>
      ${(wrong) => html`
        <${TextField} label=${t("field.email")} name="email" inputmode="email" autocapitalize="none" maxlength="254"
          hint=${t("admin.people.addText")} wrong=${wrong} autofocus />
        <${RoleChoice} />
      `}
    <//>
  `;
}

