// Saved prompts with gaps: chosen and filled in, made of the present prompt, changed, deleted.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement, session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { fill } from "./gaps.js";
import { Here } from "./here.js";
import { TemplateForm } from "./templateform.js";

export function TemplatePart({ draft, change, choice, attempt }) {
  const found = useLoaded(() => request("GET", "api/templates"));
  const [form, setForm] = useState(null); // What is being written: a template, or {} for a new one.
  const removal = useAttempt();
  const use = (template) => change({ ...chosen(template), list: false });
  const onSaved = (saved) => {
    setForm(null);
    announcement.value = t("create.saved", { name: saved.name });
    if (draft.template?.id === saved.id) use(saved);
    found.again();
  };
  const remove = async (template) => {
    const text = t("create.deleteTemplateText", { name: template.name });
    if (!(await confirmed({ title: t("create.deleteTemplate"), text, action: t("action.delete") }))) return;
    await removal.run(async () => {
      await request("DELETE", `api/templates/${encodeURIComponent(template.id)}`);
      if (draft.template?.id === template.id) change({ template: null });
      found.again();
    });
  };
  return html`
    <section aria-labelledby="create-template">
      <h3 id="create-template">${t("create.template")}</h3>
      <${Loaded} from=${found}>
        ${({ templates }) => {
          const current = templates.find(({ id }) => id === draft.template?.id);
          return html`
            ${templates.length === 0
              ? html`<p class="quiet">${t("create.noTemplates")}</p>`
              : html`<${Select} templates=${templates} current=${current} onChoose=${(id) => {
                  const template = templates.find((each) => each.id === id);
                  if (template) use(template);
                  else change({ template: null });
                }} />`}
            ${draft.template && html`<${Gaps} template=${draft.template} change=${change} />`}
            ${form
              ? html`<${TemplateForm} template=${form} draft=${draft} choice=${choice} onSaved=${onSaved} onLeave=${() => setForm(null)} />`
              : html`
                  <div class="actions">
                    ${draft.prompt?.trim() && !draft.list && !draft.template &&
                    html`<button type="button" onClick=${() => setForm({})}>${t("create.saveTemplate")}</button>`}
                    ${current && mayChange(current) &&
                    html`
                      <button type="button" onClick=${() => setForm(current)}>${t("create.changeTemplate")}</button>
                      <button type="button" onClick=${() => remove(current)}><${Icon} name="trash" />${t("action.delete")}</button>
                    `}
                  </div>
                `}
          `;
        }}
      <//>
      <${Problem} attempt=${removal} />
      <${Here} attempt=${attempt} at="template" />
    </section>
  `;
}

const mayChange = (template) => template.mine || session.value.user.role === "admin";

/** What a draft becomes by a template; what the template leaves open stays. */
function chosen({ id, name, prompt, gaps, model, size, seconds }) {
  return {
    template: { id, name, prompt, gaps, values: {} },
    prompt: fill(prompt, {}),
    ...(model && { model }),
    ...(size && { size }),
    ...(seconds && { seconds }),
  };
}

function Select({ templates, current, onChoose }) {
  const text = ({ name, mine, owner }) => (mine ? name : t("create.templateOf", { name, owner: owner.email ?? "?" }));
  return html`
    <label class="field">
      <span class="visually-hidden">${t("create.template")}</span>
      <select value=${current?.id ?? ""} onChange=${(event) => onChoose(event.target.value)}>
        <option value="">${t("create.chooseTemplate")}</option>
        ${templates.map((each) => html`<option key=${each.id} value=${each.id}>${text(each)}</option>`)}
      </select>
    </label>
  `;
}

/** A field for each gap; the prompt above follows. */
function Gaps({ template, change }) {
  const set = (name, value) => {
    const values = { ...template.values, [name]: value };
    change({ template: { ...template, values }, prompt: fill(template.prompt, values) });
  };
  if (template.gaps.length === 0) return html`<p class="quiet">${t("create.noGaps")}</p>`;
  return html`
    <div class="gaps">
      ${template.gaps.map(
        (name) => html`
          <label class="field" key=${name}>
            <span dir="auto">${name}</span>
            <input type="text" autocomplete="off" maxlength="2000" dir="auto" value=${template.values[name] ?? ""}
              onInput=${(event) => set(name, event.target.value)} />
          </label>
        `,
      )}
    </div>
  `;
}
