// A secret that is shown this once.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { Copyable } from "../views/copyable.js";

/** `of` is { title, secret }, or null. The place is there before, so that a screen reader tells what comes. */
export const Secret = ({ of }) => html`
  <div role="status">
    ${of &&
    html`
      <div class="notice">
        <p><strong>${of.title}</strong> ${t("account.secret.once")}</p>
        <${Copyable} label=${t("account.secret.secret")} text=${of.secret} />
      </div>
    `}
  </div>
`;
