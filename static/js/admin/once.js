// What is shown this once: links and codes.

import { useState } from "../../vendor/hooks.js";
import { copy } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../views/icons.js";

const SHOWN_MS = 1_600;

/** `text` may have many lines; it stays until somebody closes it. */
export function Once({ title, note, text, onClose }) {
  const [done, setDone] = useState(false);
  const press = async () => {
    if (!(await copy(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  const lines = Math.min(10, text.split("\n").length);
  return html`
    <section class="notice once" role="status">
      <p><strong>${title}</strong> ${t("admin.once")}</p>
      ${note && html`<p class="quiet">${note}</p>`}
      <textarea readonly rows=${lines} aria-label=${title} spellcheck=${false} value=${text}
        onFocus=${(event) => event.target.select()}></textarea>
      <p class="actions">
        <button class="primary" onClick=${press}>
          <${Icon} name=${done ? "check" : "copy"} />${done ? t("action.copied") : t("admin.once.copy")}
        </button>
        <button onClick=${onClose}>${t("action.close")}</button>
      </p>
    </section>
  `;
}
