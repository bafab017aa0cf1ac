// What can be changed while the gateway runs.

import { html } from "../html.js";
import { t } from "../i18n.js";

export function Tab() {
  return html`<p class="quiet">${t("app.loading")}</p>`;
}
