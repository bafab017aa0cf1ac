// My password: the first one, or another one.

import { useState } from "../../vendor/hooks.js";
import { changePassword, fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement, session } from "../state.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { EmailField, PasswordField, faultOf, fieldText, useMending, valuesOf } from "../views/fields.js";

const DONE = { set: true };

export function Password() {
  const { user, hasPassword } = session.value;
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const [done, setDone] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    const sent = event.target;
    const { password, next } = valuesOf(sent);
    const fault = faultOf({ password, next });
    setDone(false);
    if (fault) return attempt.fail(fault);
    const made = await attempt.run(() => fresh(() => changePassword(password, next).then(() => DONE)).catch(wrong));
    if (made !== DONE) return undefined;
    sent.reset();
    announcement.value = t("account.password.done");
    return setDone(true);
  };
  return html`
    <section aria-labelledby="password-title">
      <h3 id="password-title">${t("account.password.title")}</h3>
      <p class="quiet">${hasPassword ? t("account.password.changeText") : t("account.password.setText")}</p>
      <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
        <${EmailField} value=${user.email} readonly hidden />
        ${hasPassword && html`<${PasswordField} label=${t("account.password.current")} error=${attempt.error} />`}
        <${PasswordField} label=${t("password.new")} chosen error=${attempt.error} />
        <${Problem} attempt=${attempt} text=${fieldText} />
        ${done && html`<p class="good">${t("account.password.done")}</p>`}
        <${Submit} attempt=${attempt}>${t("password.submit")}<//>
      </form>
    </section>
  `;
}

function wrong(error) {
  if (error.code !== "wrong_password") throw error;
  throw { field: "password", key: "error.wrong_password" };
}
