// What administrators look after: a tab for each thing, loaded when it is opened.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { loadTexts, t } from "../i18n.js";
import { Tabs } from "../views/tabs.js";

/** `load` gives a module with a component `Tab`, which is handed the rest of the path as `path` and the query as
 *  `search`; `area` has its words where they are not in those of this screen. */
const TABS = [
  { name: "overview", title: "admin.tab.overview", load: () => import("./overview.js") },
  { name: "people", title: "admin.tab.people", load: () => import("./people.js") },
  { name: "invitations", title: "admin.tab.invitations", load: () => import("./invitations.js") },
  { name: "plans", title: "admin.tab.plans", load: () => import("./plans.js") },
  { name: "credits", title: "admin.tab.credits", load: () => import("./credits.js") },
  { name: "codes", title: "admin.tab.codes", load: () => import("./codes.js") },
  { name: "upstreams", title: "admin.tab.upstreams", load: () => import("./ops/upstreams.js"), area: "ops" },
  { name: "unknown", title: "admin.tab.unknown", load: () => import("./ops/unknown.js"), area: "ops" },
  { name: "statistics", title: "admin.tab.statistics", load: () => import("./ops/statistics.js"), area: "ops" },
  { name: "storage", title: "admin.tab.storage", load: () => import("./ops/storage.js"), area: "ops" },
  { name: "settings", title: "admin.tab.settings", load: () => import("./settings.js") },
  { name: "audit", title: "admin.tab.audit", load: () => import("./audit.js") },
];

export function Screen({ path, search }) {
  const [first, ...rest] = path;
  const tab = TABS.find(({ name }) => name === first) ?? TABS[0];
  const place = useRef(null);
  // On a phone the tabs are wider than the screen.
  useEffect(() => place.current.querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" }), [tab]);
  return html`
    <div class="admin" ref=${place}>
      <h2>${t("admin.title")}</h2>
      <${Tabs} label=${t("admin.title")} screen="admin" current=${tab.name}
        tabs=${TABS.map(({ name, title }) => ({ name, title: t(title) }))} />
      <${Opened} key=${tab.name} tab=${tab} path=${rest} search=${search} />
    </div>
  `;
}

/** A tab, when its script and its words are here. */
function Opened({ tab, path, search }) {
  const [Tab, setTab] = useState(null);
  const [failed, setFailed] = useState(false);
  const open = async () => {
    setFailed(false);
    try {
      const [module] = await Promise.all([tab.load(), tab.area && loadTexts(tab.area)]);
      setTab(() => module.Tab);
    } catch {
      setFailed(true);
    }
  };
  useEffect(() => void open(), []);
  if (failed) {
    return html`
      <div class="empty" role="alert">
        <p><strong>${t("app.screenFailed")}</strong></p>
        <button onClick=${() => location.reload()}>${t("action.reload")}</button>
      </div>
    `;
  }
  if (!Tab) return html`<p class="quiet" role="status">${t("app.loading")}</p>`;
  return html`<${Tab} path=${path} search=${search} />`;
}
