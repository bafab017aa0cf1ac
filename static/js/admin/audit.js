// Who did what, when.

import { html } from "../html.js";
import { t } from "../i18n.js";

export function Tab() {
  return html`<p class="quiet">${t("app.loading")}</p>`;
}
