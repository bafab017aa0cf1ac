// One template being written: its name, its text with gaps, who may use it.

import { useState } from "../../vendor/hooks.js";
import { request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Segments } from "./segments.js";

/** `template` is the one to change, or {} for a new one of the draft's prompt. Not a form of its own: it stands in one. */
export function TemplateForm({ template, draft, choice, onSaved, onLeave }) {
  const [wish, setWish] = useState({
    name: template.name ?? "",
    prompt: template.prompt ?? draft.prompt ?? "",
    visibility: template.visibility ?? "private",
    choices: template.id ? template.model !== null || template.size !== null : true,
  });
  const attempt = useAttempt();
  const put = (part) => setWish({ ...wish, ...part });
  const save = () => {
    if (!wish.name.trim()) return attempt.fail({ field: "name", key: "create.nameMissing" });
    const { model, size, seconds } = choice ?? {};
    const body = {
      name: wish.name.trim(),
      prompt: wish.prompt,
      visibility: wish.visibility,
      ...(wish.choices && choice && { model, size, seconds }),
    };
    return attempt.run(async () => {
      const path = template.id ? `api/templates/${encodeURIComponent(template.id)}` : "api/templates";
      onSaved(await request(template.id ? "PUT" : "POST", path, { body }));
    });
  };
  const onKey = (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault(); // It would send the form around it.
    save();
  };
  return html`
    <div class="fields templateform" role="group" aria-label=${t("create.saveTemplate")} onKeyDown=${onKey}>
      <label class="field">
        <span>${t("create.name")}</span>
        <input type="text" maxlength="100" autocomplete="off" dir="auto" autofocus value=${wish.name}
          aria-invalid=${attempt.error?.field === "name" || attempt.error?.param === "name"} onInput=${(event) => put({ name: event.target.value })} />
      </label>
      <label class="field">
        <span>${t("create.text")}</span>
        <textarea rows="3" dir="auto" value=${wish.prompt} aria-invalid=${attempt.error?.param === "prompt"}
          onInput=${(event) => put({ prompt: event.target.value })}></textarea>
      </label>
      <p class="quiet">${t("create.gapHint")}</p>
      <${Segments} label=${t("create.templateFor")} name="template-for" value=${wish.visibility}
        options=${["private", "team"].map((value) => ({ value, title: t(`create.visibility.${value}`) }))}
        onChange=${(visibility) => put({ visibility })} />
      <label class="tick">
        <input type="checkbox" checked=${wish.choices} onChange=${(event) => put({ choices: event.target.checked })} />
        <span>${t("create.withChoices")}</span>
      </label>
      <${Problem} attempt=${attempt} />
      <div class="actions">
        <button type="button" class="primary" aria-disabled=${attempt.resting} onClick=${save}>${t("create.save")}</button>
        <button type="button" onClick=${onLeave}>${t("action.back")}</button>
      </div>
    </div>
  `;
}
