// Who am I, where to go, the language, the theme, the way out.

import { useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { LANGUAGES, chooseLanguage, errorText, language, t } from "../i18n.js";
import { screenName } from "../screens.js";
import { signOut } from "../session.js";
import { session } from "../state.js";
import { THEMES, chooseTheme, theme } from "../theme.js";
import { Icon } from "./icons.js";

export function Menu() {
  const { user } = session.value;
  const [problem, setProblem] = useState(null);
  const close = () => document.getElementById("menu").hidePopover();
  const leave = () => signOut().catch(setProblem);
  return html`
    <button class="round" popovertarget="menu" aria-label=${t("menu.open")} title=${t("menu.open")}>
      <${Icon} name="menu" />
    </button>
    <div id="menu" class="menu" popover>
      <div class="who">
        <strong>${user.email}</strong>
        <span class="quiet">${t(`role.${user.role}`)}</span>
      </div>
      <${Way} to="account" address="#/account" icon="person" onClick=${close}>${t("menu.account")}<//>
      ${user.role === "admin" &&
      html`<${Way} to="welcome" address="#/welcome" icon="spark" onClick=${close}>${t("menu.welcome")}<//>`}
      <${LanguageSelect} />
      <${ThemeSelect} />
      <button onClick=${leave}><${Icon} name="signout" />${t("menu.signOut")}</button>
      ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
    </div>
  `;
}

const Way = ({ to, address, icon, onClick, children }) => html`
  <a class="button" href=${address} aria-current=${screenName() === to ? "page" : undefined} onClick=${onClick}>
    <${Icon} name=${icon} />${children}
  </a>
`;

export function LanguageSelect() {
  return html`
    <label class="language">
      <span class="visually-hidden">${t("menu.language")}</span>
      <select value=${language.value} onChange=${(event) => chooseLanguage(event.target.value)}>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code}>${name}</option>`)}
      </select>
    </label>
  `;
}

function ThemeSelect() {
  return html`
    <label class="language">
      <span class="visually-hidden">${t("theme.title")}</span>
      <select value=${theme.value} onChange=${(event) => chooseTheme(event.target.value)}>
        ${THEMES.map((name) => html`<option value=${name}>${t(`theme.${name}`)}</option>`)}
      </select>
    </label>
  `;
}
