// For people without a session: the ways in.

import { useEffect } from "../../vendor/hooks.js";
import { loadMethods, showDoor, signIn } from "../session.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { door, methods, methodsError, session } from "../state.js";
import { Problem, Submit, useAttempt } from "./attempt.js";
import { EmailField, PasswordField, faultOf, useArrival, useMending, valuesOf } from "./fields.js";
import { Unencrypted } from "./notice.js";
import { Or, Providers } from "./providers.js";
import { Register } from "./register.js";
import { Reset } from "./reset.js";

export function Door() {
  useEffect(() => void loadMethods(), []);
  const { kind, token, email } = door.value;
  if (kind === "reset") return html`<${Reset} key=${token} token=${token} />`;
  if (kind === "invite" || kind === "register") return html`<${Register} key=${token} invitation=${token} />`;
  return html`<${SignIn} email=${email} />`;
}

function SignIn({ email }) {
  const { error, ended } = session.value;
  const place = useArrival();
  const ways = methods.value?.providers ?? [];
  return html`
    <section class="page narrow" ref=${place}>
      ${error && html`<p class="notice bad" role="alert">${linkProblem(error)}</p>`}
      ${ended && html`<p class="notice" role="status">${t("signin.ended")}</p>`}
      <h2 tabindex="-1">${t("signin.title")}</h2>
      <${Unencrypted} />
      ${methods.value?.password !== false && html`<${PasswordForm} email=${email} />`}
      ${ways.length > 0 && html`<${Or} /><${Providers} ways=${ways} wish=${{ next: location.hash || "/" }} />`}
      ${methodsError.value &&
      html`
        <p class="problem" role="alert">
          ${t("signin.methodsFailed")} ${errorText(methodsError.value)}${" "}
          <button class="link" onClick=${loadMethods}>${t("action.tryAgain")}</button>
        </p>
      `}
      <${NoAccount} />
      <${Help} />
    </section>
  `;
}

const linkProblem = (error) => (error.status === 401 ? t("signin.badLink") : errorText(error));

function PasswordForm({ email }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const send = (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    const fault = faultOf(values);
    if (fault) return attempt.fail(fault);
    return attempt.run(() => signIn(values.email, values.password).catch(wrongPassword));
  };
  return html`
    <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
      <${EmailField} value=${email} error=${attempt.error} />
      <${PasswordField} label=${t("field.password")} error=${attempt.error} />
      <${Problem} attempt=${attempt} />
      <${Submit} attempt=${attempt}>${t("signin.submit")}<//>
    </form>
  `;
}

function wrongPassword(error) {
  if (error.status !== 401) throw error;
  throw { field: "password", key: "signin.wrong" };
}

function NoAccount() {
  const mode = methods.value?.registration;
  if (mode === "open") {
    return html`
      <p>
        ${t("signin.noAccount")}${" "}
        <button class="link" onClick=${() => showDoor({ kind: "register" })}>${t("signin.register")}</button>
      </p>
    `;
  }
  return mode === "invite" && html`<p class="quiet">${t("signin.invitation")}</p>`;
}

function Help() {
  return html`
    <details class="help">
      <summary>${t("signin.help")}</summary>
      <p>${t("signin.ask")}</p>
      <p>${t("signin.text")}</p>
      <dl class="ways">
        <div>
          <dt>${t("signin.user")}</dt>
          <dd><code>sora-gateway user link <var>${t("signin.email")}</var></code></dd>
        </div>
        <div>
          <dt>${t("signin.forgotten")}</dt>
          <dd><code>sora-gateway user reset <var>${t("signin.email")}</var></code></dd>
        </div>
        <div>
          <dt>${t("signin.first")}</dt>
          <dd><code>sora-gateway serve</code></dd>
        </div>
      </dl>
      <p class="quiet">${t("signin.once")}</p>
    </details>
  `;
}
