// Who I am, how the page speaks and looks to me, and the way out.

import { confirmed } from "../actions.js";
import { html } from "../html.js";
import { LANGUAGES, chooseLanguage, language, t } from "../i18n.js";
import { signOut } from "../session.js";
import { session } from "../state.js";
import { THEMES, chooseTheme, theme } from "../theme.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { sessions } from "./api.js";

export function Profile() {
  const { user } = session.value;
  return html`
    <section aria-labelledby="profile-title">
      <h3 id="profile-title">${t("account.profile.title")}</h3>
      <dl class="described">
        <div><dt>${t("field.email")}</dt><dd>${user.email}</dd></div>
        <div><dt>${t("account.profile.role")}</dt><dd>${t(`role.${user.role}`)} <span class="quiet">· ${t(`account.role.${user.role}`)}</span></dd></div>
      </dl>
    </section>
    <${Looks} />
    <${Leaving} />
  `;
}

function Looks() {
  const attempt = useAttempt();
  return html`
    <section aria-labelledby="looks-title">
      <h3 id="looks-title">${t("account.looks.title")}</h3>
      <p class="quiet">${t("account.looks.text")}</p>
      <div class="pickers">
        <label class="choice">
          <span>${t("menu.language")}</span>
          <select value=${language.value} onChange=${(event) => attempt.run(() => chooseLanguage(event.target.value))}>
            ${Object.entries(LANGUAGES).map(([code, name]) => html`<option key=${code} value=${code} lang=${code}>${name}</option>`)}
          </select>
        </label>
        <label class="choice">
          <span>${t("account.looks.theme")}</span>
          <select value=${theme.value} onChange=${(event) => chooseTheme(event.target.value)}>
            ${THEMES.map((name) => html`<option key=${name} value=${name}>${t(`account.theme.${name}`)}</option>`)}
          </select>
        </label>
      </div>
      <${Problem} attempt=${attempt} />
    </section>
  `;
}

function Leaving() {
  const attempt = useAttempt();
  const everywhere = async () => {
    const yes = await confirmed({
      title: t("account.leave.askTitle"),
      text: t("account.leave.askText"),
      action: t("account.leave.everywhere"),
    });
    if (yes) await attempt.run(() => signOut(sessions.endAll));
  };
  return html`
    <section aria-labelledby="leave-title">
      <h3 id="leave-title">${t("menu.signOut")}</h3>
      <p class="quiet">${t("account.leave.text")}</p>
      <${Problem} attempt=${attempt} />
      <div class="row">
        <button aria-disabled=${attempt.resting} onClick=${() => attempt.run(() => signOut())}>${t("account.leave.here")}</button>
        <button aria-disabled=${attempt.resting} onClick=${everywhere}>${t("account.leave.everywhere")}</button>
      </div>
    </section>
  `;
}
