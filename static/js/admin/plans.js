// What people may have made: plans, and who is on them.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { plans as api } from "./api.js";
import { figure, limitText } from "./figures.js";
import { LIMITS, planOf } from "./limits.js";
import { Choice, NumberField, saidOf, Sheet, TextField, Tick } from "./sheet.js";

const PRIORITIES = ["vip", "normal", "batch"];
const IN_USE = { conflict: "admin.plans.inUse" };
const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

export function Tab() {
  const list = useLoaded(api.list);
  const [open, setOpen] = useState(null);
  return html`
    <div class="bar-of">
      <p class="quiet">${t("admin.plans.text")}</p>
      <button class="primary" onClick=${() => setOpen({})}>${t("admin.plans.add")}</button>
    </div>
    <${Loaded} from=${list}>
      ${({ plans }) => html`
        <ul class="plans">
          ${plans.map((plan) => html`<${Plan} key=${plan.name} plan=${plan} onChange=${() => setOpen({ plan })} onRemoved=${list.again} />`)}
        </ul>
      `}
    <//>
    ${open && html`<${PlanForm} ...${open} onDone=${list.again} onClose=${() => setOpen(null)} />`}
  `;
}

function Plan({ plan, onChange, onRemoved }) {
  const attempt = useAttempt();
  const remove = async () => {
    const texts = {
      title: t("admin.ask.plan.title", { name: plan.name }),
      text: t("admin.ask.plan.text"),
      action: t("admin.ask.plan.yes"),
    };
    if (await confirmed(texts)) await attempt.run(() => fresh(() => api.remove(plan.name).then(onRemoved)));
  };
  return html`
    <li class="panel">
      <div class="bar-of">
        <h3>${plan.name}</h3>
        <span class="badge">${t(`admin.plans.source.${plan.source}`)}</span>
      </div>
      ${!plan.mayGenerate && html`<p class="problem">${t("admin.plans.mayNot")}</p>`}
      <dl class="plan-limits">
        ${LIMITS.map(
          (name) => html`<div key=${name}><dt>${t(`admin.limit.${name}`)}</dt><dd>${name === "keepDays" && !plan[name] ? t("admin.asEverybody") : limitText(plan[name])}</dd></div>`,
        )}
        <div><dt>${t("admin.priority")}</dt><dd>${t(`admin.priority.${plan.priority}`)}</dd></div>
        <div>
          <dt>${t("admin.plans.people")}</dt>
          <dd>
            ${plan.name === "default"
              ? t("admin.plans.everybodyElse")
              : html`<a href=${to("admin", "people", { plan: plan.name })} aria-label=${t("admin.plans.show", { name: plan.name })}>${figure(plan.people)}</a>`}
          </dd>
        </div>
      </dl>
      <p class="actions">
        <button onClick=${onChange} aria-label=${t("admin.plans.changeOf", { name: plan.name })}>${t("admin.change")}</button>
        ${plan.source === "added" &&
        html`<button onClick=${remove} aria-label=${t("admin.plans.removeOf", { name: plan.name })}>${t("admin.remove")}</button>`}
      </p>
      <${Problem} attempt=${attempt} text=${(error) => saidOf(error, IN_USE)} />
    </li>
  `;
}

function PlanForm({ plan, onDone, onClose }) {
  const wishOf = (values) => {
    const name = plan?.name ?? values.name.trim();
    if (!NAME.test(name)) return { field: "name", key: "admin.plans.nameRules" };
    const { plan: settings, field } = planOf(values);
    return field ? { field } : { wish: { name, settings } };
  };
  return html`
    <${Sheet} title=${plan ? t("admin.plans.changeOf", { name: plan.name }) : t("admin.plans.add")} action=${t("admin.save")}
      wishOf=${wishOf} send=${({ name, settings }) => api.put(name, settings)} onDone=${onDone} onClose=${onClose}>
      ${(wrong) => html`
        ${plan?.source === "configuration" && html`<p class="quiet">${t("admin.plans.instead")}</p>`}
        ${!plan && html`<${TextField} label=${t("admin.name")} name="name" maxlength="32" autocapitalize="none" hint=${t("admin.plans.nameRules")} wrong=${wrong} />`}
        <${Tick} label=${t("admin.plans.may")} name="mayGenerate" checked=${plan?.mayGenerate ?? true} />
        ${LIMITS.map(
          (name) => html`
            <${NumberField} key=${name} label=${t(`admin.limit.${name}`)} name=${name} wrong=${wrong} defaultValue=${plan?.[name] || ""}
              placeholder=${t(name === "keepDays" ? "admin.asEverybody" : "admin.unlimited")} unit=${t(`admin.limit.${name}.unit`)} />
          `,
        )}
        <${Choice} label=${t("admin.priority")} name="priority" value=${plan?.priority ?? "normal"}
          options=${PRIORITIES.map((each) => [each, t(`admin.priority.${each}`)])} />
      `}
    <//>
  `;
}
