// For people without a session: how to get a link.

import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { session } from "../state.js";

export function SignIn() {
  const { error, ended } = session.value;
  return html`
    <section class="page">
      ${error && html`<p class="notice bad" role="alert">${linkProblem(error)}</p>`}
      ${ended && html`<p class="notice" role="status">${t("signin.ended")}</p>`}
      <h2>${t("signin.title")}</h2>
      <p>${t("signin.text")}</p>
      <dl class="ways">
        <div>
          <dt>${t("signin.user")}</dt>
          <dd><code>sora-gateway user link <var>${t("signin.email")}</var></code></dd>
        </div>
        <div>
          <dt>${t("signin.first")}</dt>
          <dd><code>sora-gateway serve</code></dd>
        </div>
      </dl>
      <p class="quiet">${t("signin.once")}</p>
    </section>
  `;
}

const linkProblem = (error) => (error.status === 429 ? errorText(error) : t("signin.badLink"));
