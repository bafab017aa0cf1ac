// Share links of one video: make, copy, revoke.

import { useState } from "../../vendor/hooks.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { to } from "../router.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { Copyable } from "../views/copyable.js";
import { Icon } from "../views/icons.js";
import { useLoaded } from "../views/loaded.js";
import { Modal } from "../views/modal.js";
import { shares } from "./api.js";

const DAY = 86_400;
const LIFETIMES = [1, 7, 30, 365];

/** The page that a link opens, for people; the API's own address of the same has its token last. */
const pageOf = ({ url }) => new URL(to("shared", url.split("/").at(-1)), document.baseURI).href;

export function Shares({ id }) {
  const list = useLoaded(() => shares.list(id), [id]);
  const attempt = useAttempt();
  const [days, setDays] = useState(7);
  const links = list.value?.shares;
  const create = (event) => {
    event.preventDefault();
    attempt.run(async () => {
      const made = await shares.create(id, days * DAY);
      list.put({ shares: [made, ...(links ?? [])] });
    });
  };
  const revoke = (share) =>
    attempt.run(async () => {
      await shares.revoke(id, share.id);
      list.put({ shares: links.filter((other) => other.id !== share.id) });
    });
  return html`
    <div class="shares">
      <p class="quiet">${t("video.share.text")}</p>
      <form onSubmit=${create}>
        <label class="choice">
          <span>${t("video.share.lifetime")}</span>
          <select value=${days} onChange=${(event) => setDays(Number(event.target.value))}>
            ${LIFETIMES.map((each) => html`<option value=${each}>${each === 1 ? t("video.share.day") : t("video.share.days", { days: each })}</option>`)}
          </select>
        </label>
        <${Submit} attempt=${attempt}>${t("video.share.create")}<//>
      </form>
      <${Problem} attempt=${attempt} />
      ${list.error && html`<p class="problem" role="alert">${errorText(list.error)}</p>`}
      ${links?.length === 0 && html`<p class="quiet">${t("video.share.none")}</p>`}
      ${links?.length > 0 &&
      html`
        <ul class="links">
          ${links.map(
            (share) => html`
              <li key=${share.id}>
                <${Copyable} label=${t("video.share.link")} text=${pageOf(share)} />
                <span class="quiet">${t("video.share.expires", { when: dateTime(share.expiresAt) })}</span>
                <button onClick=${() => revoke(share)} aria-disabled=${attempt.resting}
                  aria-label=${t("video.share.revokeOf", { when: dateTime(share.createdAt) })}>
                  <${Icon} name="close" />${t("video.share.revoke")}
                </button>
              </li>
            `,
          )}
        </ul>
      `}
    </div>
  `;
}

export const ShareDialog = ({ task, onClose }) => html`
  <${Modal} title=${t("video.share.title")} onClose=${onClose}><${Shares} id=${task.videoId} /><//>
`;
