// Sentences above what they are about.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { notice } from "../state.js";
import { Icon } from "./icons.js";

/** The one above everything, until it is closed. */
export function Notice() {
  const told = notice.value;
  if (!told) return null;
  return html`
    <div class=${told.bad ? "notice bad told" : "notice told"} role=${told.bad ? "alert" : "status"}>
      <p>${t(told.key)}</p>
      <button class="round" onClick=${() => (notice.value = null)} aria-label=${t("action.close")}>
        <${Icon} name="close" />
      </button>
    </div>
  `;
}

/** Said before somebody types; whether the gateway takes it is its own decision. */
export const Unencrypted = () =>
  !window.isSecureContext && html`<p class="notice warn">${t("signin.unencrypted")}</p>`;
