// What the page really knows about its live connection.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { connection, transport } from "../state.js";

export function Connection() {
  const word = connection.value;
  const carrier = transport.value;
  const hint = t(`connection.${word}.hint`) + (carrier ? ` ${t(`connection.over.${carrier}`)}` : "");
  return html`
    <p class="connection" data-state=${word} data-transport=${carrier} role="status" title=${hint}>
      <span class="dot"></span><span>${t(`connection.${word}`)}</span>
      ${word === "stopped" &&
      html`<button class="link" onClick=${() => location.reload()}>${t("action.reload")}</button>`}
    </p>
  `;
}
