// A text that is copied by a press.

import { useState } from "../../vendor/hooks.js";
import { copy } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icons.js";

const SHOWN_MS = 1_600;

export function Copyable({ label, text }) {
  const [done, setDone] = useState(false);
  const press = async () => {
    if (!(await copy(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  return html`
    <button class="copyable" onClick=${press} title=${text}>
      <span class="visually-hidden">${t("action.copyOf", { what: label })}</span>${" "}
      <code>${text}</code><${Icon} name=${done ? "check" : "copy"} />
      <span class="visually-hidden" role="status">${done ? t("action.copied") : ""}</span>
    </button>
  `;
}
