// What can be changed while the gateway runs.

import { useId, useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement } from "../state.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { useMending, valuesOf } from "../views/fields.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { settings as api } from "./api.js";
import { settingOf } from "./limits.js";

export function Tab() {
  const list = useLoaded(api.list);
  return html`
    <p class="quiet">${t("admin.settings.text")}</p>
    <${Loaded} from=${list}>
      ${({ settings }) =>
        grouped(settings).map(
          ([group, members]) => html`
            <section class="panel" key=${group} aria-labelledby=${`group-${group}`}>
              <h3 id=${`group-${group}`}>${t(`admin.settings.group.${group}`)}</h3>
              ${members.map((setting) => html`<${Setting} key=${setting.key} setting=${setting} put=${list.put} />`)}
            </section>
          `,
        )}
    <//>
    <p class="quiet">${t("admin.settings.restart")}</p>
  `;
}

/** By the table of the configuration. */
function grouped(settings) {
  const groups = new Map();
  for (const setting of settings) {
    const [group] = setting.key.split(".");
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return [...groups];
}

/** A setting's words, of which `part` is one: its text, or one of its values. */
const words = (key, part = "") => {
  const name = key.replace(".", "_");
  return part ? t(`admin.setting.${name}.${part}`) : t(`admin.setting.${name}`);
};

function Setting({ setting, put }) {
  const { key, value, source } = setting;
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const [saved, setSaved] = useState(false);
  const id = useId();
  const save = (wanted) =>
    attempt.run(async () => {
      const list = await fresh(() => api.change({ [key]: wanted }));
      if (!list) return;
      put(list);
      setSaved(true);
      announcement.value = t("admin.settings.saved");
    });
  const send = (event) => {
    event.preventDefault();
    setSaved(false);
    const wanted = settingOf(setting, valuesOf(event.target).value ?? "");
    return wanted === undefined ? attempt.fail({ field: "value", key: "admin.settings.bad" }) : save(wanted);
  };
  const reset = async () => {
    const texts = {
      title: t("admin.ask.setting.title", { name: words(key) }),
      text: t("admin.ask.setting.text", { value: shown(setting, setting.configured) }),
      action: t("admin.ask.setting.yes"),
    };
    if (await confirmed(texts)) await save(null);
  };
  return html`
    <form class="setting" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
      <div>
        <label for=${id}>${words(key)}</label>
        <p class="quiet" id=${`${id}-about`}>${words(key, "text")}</p>
        <p class="quiet small">
          <code>${key}</code> · ${t("admin.settings.default", { value: shown(setting, setting.default) })} ·${" "}
          ${t(`admin.settings.source.${source}`)}${setting.changedAt ? ` · ${dateTime(setting.changedAt)}` : ""}
        </p>
      </div>
      <div class="value" key=${String(value)}>
        <${Field} id=${id} setting=${setting} wrong=${Boolean(attempt.error?.field)} />
        <${Submit} attempt=${attempt}>${t("admin.save")}<//>
        ${source === "changed" && html`<button type="button" onClick=${reset}>${t("admin.settings.reset")}</button>`}
        ${saved && html`<span class="good">${t("admin.settings.saved")}</span>`}
      </div>
      <${Problem} attempt=${attempt} />
    </form>
  `;
}

function Field({ id, setting, wrong }) {
  const { type, value, choices } = setting;
  const told = { id, name: "value", "aria-describedby": `${id}-about`, "aria-invalid": wrong };
  if (choices.length) {
    return html`
      <select ...${told}>
        ${choices.map((each) => html`<option value=${each} selected=${each === value}>${shown(setting, each)}</option>`)}
      </select>
    `;
  }
  if (type === "boolean") return html`<input type="checkbox" ...${told} defaultChecked=${value} />`;
  return html`<input autocomplete="off" inputmode=${type === "string" ? "text" : "decimal"} ...${told} defaultValue=${value} />`;
}

/** A value as people read it. */
function shown({ type, choices, key }, value) {
  if (choices.length) return words(key, value);
  if (type === "boolean") return value ? t("admin.yes") : t("admin.no");
  return String(value);
}
