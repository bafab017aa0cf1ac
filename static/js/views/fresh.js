// Who is there? Asked in place, before something that needs a sign-in of the last minutes.

import { useEffect, useState } from "../../vendor/hooks.js";
import { loadMethods, signInAgain } from "../session.js";
import { auth } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { dialog, methods, session } from "../state.js";
import { Problem, Submit, useAttempt } from "./attempt.js";
import { EmailField, PasswordField, faultOf, useMending, valuesOf } from "./fields.js";
import { Modal } from "./modal.js";
import { Providers } from "./providers.js";

export function FreshDialog({ resolve }) {
  const { user, hasPassword } = session.value;
  const [linked, setLinked] = useState([]);
  useEffect(() => {
    if (!methods.value) loadMethods();
    auth.identities().then(({ identities }) => setLinked(identities.map(({ provider }) => provider)), () => {});
  }, []);
  const closed = ({ target }) => {
    dialog.value = null;
    resolve(target.returnValue === "yes");
  };
  const ways = (methods.value?.providers ?? []).filter(({ name }) => linked.includes(name));
  const onlyLinks = !hasPassword && ways.length === 0;
  return html`
    <${Modal} title=${t("fresh.title")} onClose=${closed}>
      <p>${onlyLinks ? t("fresh.byLink") : t("fresh.text")}</p>
      ${onlyLinks && html`<p><code>sora-gateway user link ${user.email}</code></p>`}
      ${hasPassword && html`<${FreshForm} email=${user.email} />`}
      <${Providers} ways=${ways} wish=${{ next: location.hash || "/" }} />
    <//>
  `;
}

function FreshForm({ email }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const send = (event) => {
    event.preventDefault();
    const { password } = valuesOf(event.target);
    const fault = faultOf({ password });
    if (fault) return attempt.fail(fault);
    const sheet = event.target.closest("dialog");
    return attempt.run(async () => {
      await signInAgain(password).catch(wrongPassword);
      sheet.close("yes");
    });
  };
  return html`
    <form method="post" class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
      <${EmailField} value=${email} readonly />
      <${PasswordField} label=${t("field.password")} autofocus error=${attempt.error} />
      <${Problem} attempt=${attempt} />
      <${Submit} attempt=${attempt}>${t("fresh.submit")}<//>
    </form>
  `;
}

function wrongPassword(error) {
  if (error.status !== 401) throw error;
  throw { field: "password", key: "fresh.wrong" };
}
