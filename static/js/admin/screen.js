// What administrators look after.

import { request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { Tabs } from "../views/tabs.js";

export function Screen() {
  const people = useLoaded(() => request("GET", "api/admin/users"));
  const columns = [{ title: t("admin.email"), cell: (user) => user.email }];
  return html`
    <h2>${t("admin.title")}</h2>
    <${Tabs} label=${t("admin.title")} screen="admin" current="people" tabs=${[{ name: "people", title: t("admin.people") }]} />
    <${Loaded} from=${people}>
      ${({ users }) => html`<${Table} caption=${t("admin.people")} columns=${columns} rows=${users} id=${(user) => user.id} />`}
    <//>
  `;
}
