import { html } from "../html.js";
import { t } from "../i18n.js";

export function Screen() {
  return html`<h2>${t("console.title")}</h2>`;
}
