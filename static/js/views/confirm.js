// A question before something that cannot be taken back.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { dialog } from "../state.js";
import { Modal } from "./modal.js";

export function ConfirmDialog({ title, text, action, resolve }) {
  const answer = (yes) => {
    dialog.value = null;
    resolve(yes);
  };
  return html`
    <${Modal} title=${title} onClose=${() => answer(false)}>
      <p>${text}</p>
      <footer>
        <button onClick=${() => answer(false)}>${t("action.back")}</button>
        <button class="danger" autofocus onClick=${() => answer(true)}>${action}</button>
      </footer>
    <//>
  `;
}
