// Making an account: with an invitation, or where everybody may.

import { register, withoutDoor } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { methods } from "../state.js";
import { Problem, Submit, useAttempt } from "./attempt.js";
import { EmailField, PasswordField, faultOf, fieldText, useArrival, useMending, valuesOf } from "./fields.js";
import { Unencrypted } from "./notice.js";
import { Or, Providers } from "./providers.js";

/** `invitation` is the token of one, or undefined. */
export function Register({ invitation }) {
  const place = useArrival();
  const { registration, providers = [] } = methods.value ?? {};
  const closed = registration === "closed" || (registration === "invite" && !invitation);
  const wish = { next: "/", ...(invitation && { invitation }) };
  return html`
    <section class="page narrow" ref=${place}>
      <h2 tabindex="-1">${invitation ? t("register.invited") : t("register.title")}</h2>
      ${closed
        ? html`<p class="notice bad" role="alert">${t("register.closed")}</p>`
        : html`
            <p>${invitation ? t("register.invitedText") : t("register.text")}</p>
            <${Unencrypted} />
            <${RegisterForm} invitation=${invitation} />
            ${providers.length > 0 && html`<${Or} /><${Providers} ways=${providers} wish=${wish} />`}
          `}
      <p>
        ${t("register.haveAccount")}${" "}
        <button class="link" onClick=${withoutDoor}>${t("signin.title")}</button>
      </p>
    </section>
  `;
}

function RegisterForm({ invitation }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const send = (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    const fault = faultOf(values);
    if (fault) return attempt.fail(fault);
    return attempt.run(() => register(values.email, values.next, invitation));
  };
  return html`
    <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
      <${EmailField} error=${attempt.error} />
      <${PasswordField} label=${t("field.password")} chosen error=${attempt.error} />
      <${Problem} attempt=${attempt} text=${registerText} />
      <${Submit} attempt=${attempt}>${t("register.submit")}<//>
    </form>
  `;
}

function registerText(error) {
  if (error.code === "not_admitted") return t("register.badInvitation");
  if (error.code === "not_found") return t("register.closed");
  return fieldText(error);
}
