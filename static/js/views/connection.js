// What the page really knows about its live connection.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { connection } from "../state.js";

export function Connection() {
  const word = connection.value;
  return html`
    <p class="connection" data-state=${word} role="status" title=${t(`connection.${word}.hint`)}>
      <span class="dot"></span><span>${t(`connection.${word}`)}</span>
      ${word === "stopped" &&
      html`<button class="link" onClick=${() => location.reload()}>${t("action.reload")}</button>`}
    </p>
  `;
}
