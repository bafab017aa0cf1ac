// A new password in place of a forgotten one, by a link from an administrator.

import { reset, withoutDoor } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, Submit, useAttempt } from "./attempt.js";
import { PasswordField, faultOf, fieldText, useArrival, useMending, valuesOf } from "./fields.js";
import { Unencrypted } from "./notice.js";

export function Reset({ token }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const place = useArrival();
  const send = (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    const fault = faultOf(values);
    if (fault) return attempt.fail(fault);
    return attempt.run(() => reset(token, values.next));
  };
  return html`
    <section class="page narrow" ref=${place}>
      <h2 tabindex="-1">${t("reset.title")}</h2>
      <p>${t("reset.text")}</p>
      <${Unencrypted} />
      <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
        <${PasswordField} label=${t("password.new")} chosen error=${attempt.error} />
        <${Problem} attempt=${attempt} text=${resetText} />
        <${Submit} attempt=${attempt}>${t("password.submit")}<//>
      </form>
      <p><button class="link" onClick=${withoutDoor}>${t("reset.leave")}</button></p>
    </section>
  `;
}

const resetText = (error) => (error.status === 401 ? t("reset.badLink") : fieldText(error));
