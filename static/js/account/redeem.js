// A code that brings credits, or a plan.

import { useState } from "../../vendor/hooks.js";
import { dateTime, number } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { useMending, valuesOf } from "../views/fields.js";
import { credits as api } from "./api.js";

export function Redeem({ onRedeemed }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const [got, setGot] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    const sent = event.target;
    const code = valuesOf(sent).code.trim();
    setGot(null);
    if (!code) return attempt.fail({ field: "code", key: "account.redeem.missing" });
    const answer = await attempt.run(() => api.redeem(code));
    if (!answer) return undefined;
    sent.reset();
    setGot(answer);
    return onRedeemed();
  };
  return html`
    <section aria-labelledby="redeem-title">
      <h3 id="redeem-title">${t("account.redeem.title")}</h3>
      <form class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
        <label class="field">
          <span>${t("account.redeem.code")}</span>
          <input name="code" maxlength="100" autocomplete="off" autocapitalize="characters" spellcheck=${false}
            aria-invalid=${attempt.error?.field === "code"} />
        </label>
        <${Problem} attempt=${attempt} text=${codeText} />
        <div role="status">${got && html`<p class="good">${gotText(got)}</p>`}</div>
        <${Submit} attempt=${attempt}>${t("account.redeem.submit")}<//>
      </form>
    </section>
  `;
}

function gotText({ credits, plan, planUntil }) {
  const parts = [];
  if (credits) parts.push(t("account.redeem.gotCredits", { count: number(credits) }));
  if (plan && planUntil) parts.push(t("account.redeem.gotPlanUntil", { plan, when: dateTime(planUntil) }));
  else if (plan) parts.push(t("account.redeem.gotPlan", { plan }));
  return parts.join(" ");
}

/** Why a code is not good: the gateway's own sentence says more than the code does, but only in English. */
function codeText({ code }) {
  if (code === "not_found") return t("account.redeem.unknown");
  if (code === "conflict") return t("account.redeem.conflict");
  return code === "invalid_request" ? t("account.redeem.unknown") : null;
}
