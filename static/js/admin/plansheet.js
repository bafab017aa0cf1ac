// Puts a person on a plan, for ever or until a day.

import { html } from "../html.js";
import { t } from "../i18n.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { people, plans } from "./api.js";
import { dayBegins, lastDay } from "./limits.js";
import { Choice, Sheet, TextField } from "./sheet.js";

export function PlanSheet({ user, onDone, onClose }) {
  const known = useLoaded(plans.list);
  // The day that is named is the last one of the plan.
  const wishOf = ({ plan, until }) => ({ wish: { plan: plan || null, until: dayBegins(until, 1) ?? null } });
  return html`
    <${Sheet} title=${t("admin.person.planOf", { email: user.email })} action=${t("admin.save")} wishOf=${wishOf}
      send=${(wish) => people.givePlan(user.id, wish)}
      said=${{ invalid_request: "admin.person.untilPast" }} onDone=${onDone} onClose=${onClose}>
      ${(wrong) => html`
        <${Loaded} from=${known}>
          ${(found) => html`<${Choice} label=${t("admin.plan")} name="plan" options=${planOptions(found.plans)} value=${user.plan} />`}
        <//>
        <${TextField} label=${t("admin.person.until")} name="until" type="date" defaultValue=${lastDay(user.planUntil)} hint=${t("admin.person.untilText")} wrong=${wrong} />
      `}
    <//>
  `;
}

/** For a choice; the API knows the default plan by that name, too. */
export const planOptions = (plans) => plans.map(({ name }) => [name, name === "default" ? t("admin.plan.default") : name]);
