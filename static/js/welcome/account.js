// The first step: an address and a password of one's own, in place of the account that the first link signs in.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { changePassword, fresh, signIn } from "../session.js";
import { session } from "../state.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { EmailField, PasswordField, faultOf, fieldText, useArrival, useMending, valuesOf } from "../views/fields.js";
import { Unencrypted } from "../views/notice.js";
import { addAdministrator, disable } from "./api.js";

export function Account({ next }) {
  const { hasPassword, user } = session.value;
  const place = useArrival();
  return html`
    <section class="step" ref=${place} aria-labelledby="step-title">
      <h3 id="step-title" tabindex="-1">${t("welcome.account.title")}</h3>
      ${hasPassword
        ? html`
            <p>${t("welcome.account.done", { email: user.email })}</p>
            <p><button class="primary" onClick=${next}>${t("welcome.next")}</button></p>
          `
        : html`<${AccountForm} user=${user} next=${next} />`}
    </section>
  `;
}

function AccountForm({ user, next }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const send = async (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    const fault = faultOf(values);
    if (fault) return attempt.fail(fault);
    const done = await attempt.run(() => fresh(() => become(user, values.email.trim(), values.next)));
    return done && next();
  };
  return html`
    <p>${t("welcome.account.text")}</p>
    <${Unencrypted} />
    <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
      <${EmailField} error=${attempt.error} />
      <${PasswordField} label=${t("field.password")} chosen error=${attempt.error} />
      <${Problem} attempt=${attempt} text=${problemText} />
      <footer class="actions">
        <${Submit} attempt=${attempt}>${t("welcome.account.submit")}<//>
        <button type="button" class="link" onClick=${next}>${t("welcome.later")}</button>
      </footer>
      <p class="quiet">${t("welcome.account.laterText")}</p>
    </form>
  `;
}

const problemText = (error) => (error.code === "conflict" ? t("welcome.account.taken") : fieldText(error));

/** Goes on as an administrator with that address. The nameless account of the first link is of no more use then. */
async function become(user, email, password) {
  if (email === user.email) {
    await changePassword(null, password);
    return true;
  }
  await addAdministrator(email, password);
  await signIn(email, password);
  await disable(user.id).catch(() => {}); // It has no password: only whoever runs the gateway could sign in to it.
  return true;
}
