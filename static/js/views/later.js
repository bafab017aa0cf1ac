// A part of the page that is loaded when it is shown: a screen, or what most who come need seldom or never.

import { useEffect, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";

/** Shows the component `name` of the module that `load` resolves with, and hands it the rest of the properties. */
export function Later({ load, name, ...properties }) {
  const [Part, setPart] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    // Not reached, or a newer version is there and this one's files are gone.
    load().then((module) => setPart(() => module[name]), () => setFailed(true));
  }, []);
  if (failed) {
    return html`
      <div class="empty" role="alert">
        <p><strong>${t("app.screenFailed")}</strong></p>
        <p class="quiet">${t("unreachable.text")}</p>
        <button onClick=${() => location.reload()}>${t("action.reload")}</button>
      </div>
    `;
  }
  if (!Part) return html`<p class="quiet centre" role="status">${t("app.loading")}</p>`;
  return html`<${Part} ...${properties} />`;
}
