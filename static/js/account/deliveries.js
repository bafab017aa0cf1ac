// What a webhook was told: every message with every try, and sending one again.

import { useState } from "../../vendor/hooks.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { fresh } from "../session.js";
import { announcement, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Copyable } from "../views/copyable.js";
import { Icon } from "../views/icons.js";
import { Empty, Loaded, More, useLoaded } from "../views/loaded.js";
import { webhooks as api } from "./api.js";
import { eventText } from "./events.js";
import { Choice } from "./pickers.js";

const PAGE = 20;
export const STATUSES = ["pending", "delivered", "given_up"];

/** Loaded anew when `round` changes; `onTold` hears that one was sent again. */
export function Deliveries({ id, round, onTold }) {
  const [status, setStatus] = useState("");
  const wish = { status, limit: PAGE };
  const page = useLoaded(() => api.deliveries(id, wish), [id, status, round]);
  const more = async () => {
    const next = await api.deliveries(id, { ...wish, after: page.value.deliveries.at(-1).id });
    page.put({ ...next, deliveries: [...page.value.deliveries, ...next.deliveries] });
  };
  return html`
    <section aria-labelledby="deliveries-title">
      <h3 id="deliveries-title">${t("account.deliveries.title")}</h3>
      <div class="pickers">
        <${Choice} label=${t("account.deliveries.status")} value=${status} onChange=${setStatus}
          options=${[["", t("account.deliveries.all")], ...STATUSES.map((name) => [name, t(`account.delivery.${name}`)])]} />
        <button aria-disabled=${page.busy} onClick=${page.again}><${Icon} name="retry" />${t("account.deliveries.again")}</button>
      </div>
      <${Loaded} from=${page}>
        ${({ deliveries, hasMore }) =>
          deliveries.length === 0
            ? html`<${Empty} title=${status ? t("account.deliveries.noneFound") : t("account.deliveries.none")} />`
            : html`
                <ul class="deliveries">
                  ${deliveries.map((each) => html`<${Delivery} key=${each.id} about=${each} onTold=${onTold} />`)}
                </ul>
                ${hasMore && html`<${More} load=${more} />`}
              `}
      <//>
    </section>
  `;
}

const MARKS = { pending: "badge warn", delivered: "badge good", given_up: "badge bad" };

function Delivery({ about, onTold }) {
  const attempt = useAttempt();
  const replay = () =>
    attempt.run(() =>
      fresh(async () => {
        await api.replay(about.id);
        announcement.value = t("account.delivery.again");
        onTold();
      }),
    );
  const last = about.tries.at(-1);
  return html`
    <li>
      <details>
        <summary>
          <span class=${MARKS[about.status]}>${t(`account.delivery.${about.status}`)}</span>
          <strong>${eventText(about.type)}</strong>
          <span class="quiet">${dateTime(about.createdAt)}</span>
          <span class="quiet">${t("account.delivery.tries", { count: about.tries.length })}${last?.httpStatus ? ` · HTTP ${last.httpStatus}` : ""}</span>
        </summary>
        <div class="told-of">
          <${Copyable} label=${t("account.delivery.id")} text=${about.id} />
          ${about.videoId && html`<p><a href=${to("video", about.videoId)}>${t("account.delivery.video")}</a></p>`}
          ${about.note && html`<p lang="en">${about.note}</p>`}
          <ol class="tries">
            ${about.tries.map(
              (made) => html`
                <li key=${made.at}>
                  ${dateTime(made.at)} · ${made.httpStatus === null ? t("account.delivery.noAnswer") : `HTTP ${made.httpStatus}`} ·${" "}
                  ${t("account.delivery.took", { ms: made.durationMs })}
                  ${made.httpStatus === null && html`<span class="problem" lang="en">${made.error}</span>`}
                </li>
              `,
            )}
          </ol>
          ${about.nextTryAt && html`<p class="quiet">${t("account.delivery.next", { when: dateTime(about.nextTryAt) })}</p>`}
          ${about.type !== "webhook.test" &&
          session.value.user.role !== "viewer" &&
          html`<button aria-disabled=${attempt.resting} onClick=${replay}>${t("account.delivery.replay")}</button>`}
          <${Problem} attempt=${attempt} text=${({ code }) => (code === "conflict" ? t("account.webhook.notNow") : null)} />
        </div>
      </details>
    </li>
  `;
}
