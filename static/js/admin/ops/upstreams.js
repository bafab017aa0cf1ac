// The upstreams: what is known and measured of each, and what can be done about it.

import { useState } from "../../../vendor/hooks.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { announcement } from "../../state.js";
import { Loaded } from "../../views/loaded.js";
import { upstreams as api } from "./api.js";
import { UpstreamCard } from "./upstream.js";
import { UpstreamForm } from "./upstreamform.js";
import { useWatched } from "./watched.js";

export function Tab() {
  const list = useWatched(api.list);
  const [form, setForm] = useState(null);
  const done = ({ name }) => {
    announcement.value = t("ops.form.done", { name });
    list.again();
  };
  return html`
    <${Loaded} from=${list}>
      ${({ upstreams, profiles }) => html`
        <div class="ops-top">
          <p class="quiet">${t("ops.up.text")}</p>
          <button class="primary" onClick=${() => setForm({ known: null })}>${t("ops.up.add")}</button>
        </div>
        <ul class="ops-list">
          ${upstreams.map(
            (each) => html`
              <${UpstreamCard} key=${each.name} about=${each} onChange=${(profile) => setForm({ known: each, profile })}
                onDone=${list.again} />
            `,
          )}
        </ul>
        ${form &&
        html`<${UpstreamForm} ...${form} profiles=${profiles} taken=${upstreams.map(({ name }) => name)} onDone=${done}
          onClose=${() => setForm(null)} />`}
      `}
    <//>
  `;
}
