// For builders: try the HTTP API, and see every frame of the live protocol, with the code for it beside.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { Tabs } from "../views/tabs.js";
import { HttpConsole } from "./http.js";
import { LiveConsole } from "./live.js";

const TABS = ["http", "live"];

export function Screen({ path: [asked] }) {
  const current = TABS.includes(asked) ? asked : "http";
  return html`
    <h2>${t("console.title")}</h2>
    <${Tabs} label=${t("console.title")} screen="console" current=${current}
      tabs=${TABS.map((name) => ({ name, title: t(`console.tab.${name}`) }))} />
    ${current === "http" ? html`<${HttpConsole} />` : html`<${LiveConsole} />`}
  `;
}
