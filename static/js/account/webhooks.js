// Addresses of mine that are told when a video has ended: all of them, a new one, or one of them.

import { useEffect, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, to } from "../router.js";
import { session } from "../state.js";
import { Empty, Loaded, useLoaded } from "../views/loaded.js";
import { webhooks as api } from "./api.js";
import { eventText } from "./events.js";
import { Webhook } from "./webhook.js";
import { WebhookForm } from "./webhookform.js";

export function Webhooks({ path: [id] }) {
  // The secret of a new one is shown on its page: nowhere else, and never again.
  const [made, setMade] = useState(null);
  useEffect(() => void (id || setMade(null)), [id]);
  if (!id) return html`<${All} onMade=${setMade} />`;
  return html`<${Webhook} key=${id} id=${id} made=${made?.id === id ? made : null} />`;
}

function All({ onMade }) {
  const list = useLoaded(api.list);
  const viewer = session.value.user.role === "viewer";
  const create = async (wish) => {
    const made = await api.create(wish);
    onMade(made);
    go(to("account", "webhooks", made.id));
  };
  return html`
    <section aria-labelledby="webhooks-title">
      <h3 id="webhooks-title">${t("account.webhooks.title")}</h3>
      <p class="quiet">${t("account.webhooks.text")}</p>
      <${Loaded} from=${list}>
        ${({ webhooks }) =>
          webhooks.length === 0
            ? html`<${Empty} title=${t("account.webhooks.none")} />`
            : html`<ul class="keys">${webhooks.map((each) => html`<${Line} key=${each.id} about=${each} />`)}</ul>`}
      <//>
    </section>
    <section aria-labelledby="newwebhook-title">
      <h3 id="newwebhook-title">${t("account.webhooks.new")}</h3>
      ${viewer
        ? html`<p class="quiet">${t("account.webhooks.viewer")}</p>`
        : html`<${WebhookForm} send=${create} action=${t("account.webhooks.create")} />`}
    </section>
  `;
}

function Line({ about }) {
  return html`
    <li>
      <div>
        <a href=${to("account", "webhooks", about.id)}><strong>${about.description || about.url}</strong></a>${" "}
        <${Standing} about=${about} />
        ${about.description && html`<span class="quiet">${about.url}</span>`}
        <span class="quiet">${about.events.map(eventText).join(" · ")}</span>
      </div>
    </li>
  `;
}

/** In one word how it is. */
function Standing({ about }) {
  if (!about.enabled) return html`<span class="badge bad">${t("account.webhook.off")}</span>`;
  if (about.failingSince) return html`<span class="badge warn">${t("account.webhook.failing")}</span>`;
  return html`<span class="badge">${t("account.webhook.on")}</span>`;
}
