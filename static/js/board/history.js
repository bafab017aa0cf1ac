// Everything that happened to a job, on demand.

import { useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Later } from "../views/later.js";

const events = () => import("./events.js");

export function History({ task }) {
  const [open, setOpen] = useState(false);
  return html`
    <details class="history" onToggle=${(event) => setOpen(event.target.open)}>
      <summary>${t("history.title")}</summary>
      ${open && html`<${Later} load=${events} name="Events" task=${task} />`}
    </details>
  `;
}
