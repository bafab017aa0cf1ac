// Where I am signed in.

import { useEffect, useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { auth } from "../api.js";
import { dateTime, device } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { sessions } from "./api.js";

export function Sessions() {
  const [list, setList] = useState(null);
  const attempt = useAttempt();
  const load = async () => setList((await auth.sessions()).sessions);
  // Who is signed in was asked anew: maybe the session is a new one.
  useEffect(() => void attempt.run(load), [session.value.user]);
  const others = list?.filter(({ current }) => !current) ?? [];
  const end = (work) =>
    attempt.run(async () => {
      try {
        await work().catch(goneAlready);
        announcement.value = t("account.sessions.ended");
      } finally {
        await load();
      }
    });
  const endOthers = async () => {
    const yes = await confirmed({
      title: t("account.sessions.askTitle"),
      text: t("account.sessions.askText"),
      action: t("account.sessions.endOthers"),
    });
    if (yes) await end(sessions.endOthers);
  };
  return html`
    <section aria-labelledby="sessions-title">
      <h3 id="sessions-title">${t("account.sessions.title")}</h3>
      <p class="quiet">${t("account.sessions.text")}</p>
      ${list === null && !attempt.error && html`<p class="quiet">${t("app.loading")}</p>`}
      <ul class="keys">
        ${list?.map((each) => html`<${Session} key=${each.id} about=${each} onEnd=${() => end(() => auth.endSession(each.id))} />`)}
      </ul>
      <${Problem} attempt=${attempt} />
      ${others.length > 0 &&
      html`<p><button aria-disabled=${attempt.resting} onClick=${endOthers}>${t("account.sessions.endOthers")}</button></p>`}
    </section>
  `;
}

function goneAlready(error) {
  if (error.status !== 404) throw error;
}

function Session({ about, onEnd }) {
  const name = device(about.userAgent) || t("account.sessions.unknown");
  return html`
    <li>
      <div>
        <strong title=${about.userAgent}>${name}</strong>
        ${about.current && html` <span class="badge">${t("account.sessions.current")}</span>`}
        <span class="quiet">
          ${about.address} · ${t("account.sessions.since", { when: dateTime(about.createdAt) })} ·${" "}
          ${t("account.sessions.seen", { when: dateTime(about.seenAt) })}
        </span>
      </div>
      ${!about.current &&
      html`<button onClick=${onEnd} aria-label=${t("account.sessions.endOf", { name })}>${t("account.sessions.end")}</button>`}
    </li>
  `;
}
