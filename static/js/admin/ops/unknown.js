// Videos about which somebody has to decide: those that the upstream may have, and those whose credits are disputed.

import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { Disputes } from "./disputes.js";
import { Doubts } from "./doubts.js";

export function Tab() {
  return html`
    <div class="ops-sections">
      <section aria-labelledby="doubts-title">
        <h3 id="doubts-title">${t("ops.doubts")}</h3>
        <p class="quiet">${t("ops.doubts.text")}</p>
        <${Doubts} />
      </section>
      <section aria-labelledby="disputes-title">
        <h3 id="disputes-title">${t("ops.disputes")}</h3>
        <p class="quiet">${t("ops.disputes.text")}</p>
        <${Disputes} />
      </section>
    </div>
  `;
}
