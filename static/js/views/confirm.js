// A question before something that cannot be taken back. "Back" has the focus: a key that is held down repeats.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { dialog } from "../state.js";
import { Modal } from "./modal.js";

export function ConfirmDialog({ title, text, action, resolve }) {
  const closed = ({ target }) => {
    dialog.value = null;
    resolve(target.returnValue === "yes");
  };
  // By the dialog's own close, which gives the focus back to where it was.
  const close = (answer) => ({ target }) => target.closest("dialog").close(answer);
  return html`
    <${Modal} title=${title} onClose=${closed}>
      <p>${text}</p>
      <footer>
        <button autofocus onClick=${close("no")}>${t("action.back")}</button>
        <button class="danger" onClick=${close("yes")}>${action}</button>
      </footer>
    <//>
  `;
}
