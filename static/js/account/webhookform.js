// What a webhook is: where, what for, what it is told of. For a new one and to change one.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { fresh } from "../session.js";
import { session } from "../state.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { useMending } from "../views/fields.js";
import { EVENTS, USUAL, eventText } from "./events.js";

/** `send(wish)` resolves when it is done; `about` is the webhook that is changed. */
export function WebhookForm({ send, action, about = null }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const ticked = about?.events ?? USUAL;
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const wish = {
      url: given.get("url").trim(),
      description: given.get("description").trim(),
      events: given.getAll("event"),
      everybody: given.has("everybody"),
    };
    if (!wish.url) return attempt.fail({ field: "url", key: "account.webhook.urlMissing" });
    if (wish.events.length === 0) return attempt.fail({ field: "event", key: "account.webhook.eventMissing" });
    return attempt.run(() => fresh(() => send(wish)));
  };
  return html`
    <form class="fields" ref=${form} onSubmit=${submit} novalidate aria-busy=${attempt.busy}>
      <label class="field">
        <span>${t("account.webhook.url")}</span>
        <input name="url" type="url" inputmode="url" autocomplete="off" spellcheck=${false} maxlength="2048"
          defaultValue=${about?.url ?? ""} aria-invalid=${attempt.error?.field === "url" || attempt.error?.param === "url"} aria-describedby="url-rules" />
        <span class="quiet" id="url-rules">${t("account.webhook.urlRules")}</span>
      </label>
      <label class="field">
        <span>${t("account.webhook.description")}</span>
        <input name="description" maxlength="200" autocomplete="off" defaultValue=${about?.description ?? ""} />
      </label>
      <fieldset class="field">
        <legend>${t("account.webhook.events")}</legend>
        ${EVENTS.map(
          (event) => html`
            <label class="tick" key=${event}>
              <input type="checkbox" name="event" value=${event} defaultChecked=${ticked.includes(event)} />
              <span>${eventText(event)} <code class="quiet">${event}</code></span>
            </label>
          `,
        )}
      </fieldset>
      ${session.value.user.role === "admin" &&
      html`
        <label class="tick">
          <input type="checkbox" name="everybody" defaultChecked=${about?.everybody ?? false} />
          <span>${t("account.webhook.everybody")}</span>
        </label>
      `}
      <${Problem} attempt=${attempt} text=${problemText} />
      <${Submit} attempt=${attempt}>${action}<//>
    </form>
  `;
}

function problemText({ code, param }) {
  if (code === "conflict") return t("account.webhook.tooMany");
  if (code === "unavailable") return t("account.webhook.busy");
  return code === "invalid_request" && param === "url" ? t("account.webhook.urlBad") : null;
}
