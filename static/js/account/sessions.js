// Where I am signed in.

import { useEffect, useState } from "../../vendor/hooks.js";
import { auth } from "../api.js";
import { dateTime, device } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";

export function Sessions() {
  const [list, setList] = useState(null);
  const attempt = useAttempt();
  const load = async () => setList((await auth.sessions()).sessions);
  // Who is signed in was asked anew: maybe the session is a new one.
  useEffect(() => void attempt.run(load), [session.value.user]);
  const others = list?.filter(({ current }) => !current) ?? [];
  const end = (ended) =>
    attempt.run(async () => {
      try {
        for (const { id } of ended) await auth.endSession(id).catch(goneAlready);
        announcement.value = t("sessions.ended");
      } finally {
        await load();
      }
    });
  return html`
    <section aria-labelledby="sessions-title">
      <h3 id="sessions-title">${t("sessions.title")}</h3>
      <p class="quiet">${t("sessions.text")}</p>
      ${list === null && !attempt.error && html`<p class="quiet">${t("app.loading")}</p>`}
      <ul class="keys">
        ${list?.map((each) => html`<${Session} key=${each.id} about=${each} onEnd=${() => end([each])} />`)}
      </ul>
      <${Problem} attempt=${attempt} />
      ${others.length > 0 &&
      html`<p><button aria-disabled=${attempt.resting} onClick=${() => end(others)}>${t("sessions.endOthers")}</button></p>`}
    </section>
  `;
}

function goneAlready(error) {
  if (error.status !== 404) throw error;
}

function Session({ about, onEnd }) {
  const name = device(about.userAgent) || t("sessions.unknown");
  return html`
    <li>
      <div>
        <strong title=${about.userAgent}>${name}</strong>
        ${about.current && html` <span class="badge">${t("sessions.current")}</span>`}
        <span class="quiet">
          ${about.address} · ${t("sessions.since", { when: dateTime(about.createdAt) })} ·${" "}
          ${t("sessions.seen", { when: dateTime(about.seenAt) })}
        </span>
      </div>
      ${!about.current &&
      html`<button onClick=${onEnd} aria-label=${t("sessions.endOf", { name })}>${t("sessions.end")}</button>`}
    </li>
  `;
}
