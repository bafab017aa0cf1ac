// Adds an upstream, or changes one that was added; what doctor says can be read before anything is kept.

import { useEffect, useRef, useState } from "../../../vendor/hooks.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { fresh } from "../../session.js";
import { Problem, Submit, useAttempt } from "../../views/attempt.js";
import { useMending, valuesOf } from "../../views/fields.js";
import { Modal } from "../../views/modal.js";
import { Choice, NumberField, TextField } from "../sheet.js";
import { upstreams as api } from "./api.js";
import { DoctorLines } from "./doctor.js";
import { fieldsOf, wishOf } from "./entries.js";

const DIALECTS = ["openai", "chat-stream"];
const IN_DOUBT = [["", "usual"], ["hold", "hold"], ["resubmit_if_absent", "resubmit"]];

/** `profile` is one to begin with instead of the known upstream's. */
export function UpstreamForm({ known, profile, profiles, taken, onDone, onClose }) {
  const given = fieldsOf(known);
  const attempt = useAttempt();
  const wrong = fieldName(attempt.error?.param) ?? attempt.error?.field;
  const sent = useRef(null);
  const [found, setFound] = useState(null);
  // A field that is folded away takes no focus.
  useEffect(() => wrong && sent.current.elements[wrong]?.closest("details")?.setAttribute("open", ""), [wrong, attempt.error]);
  // What was found stands below what was typed, where it may not be seen.
  useEffect(() => found && sent.current.querySelector("footer").scrollIntoView({ block: "nearest" }), [found]);
  const form = useMending(wrong ? { field: wrong } : null);
  const [dialect, setDialect] = useState(given.dialect);
  const [chosen, setChosen] = useState(profile ?? given.profile);
  const wished = () => {
    const { wish, field, key } = wishOf(valuesOf(sent.current));
    if (field) return void attempt.fail({ field, key });
    if (!known && taken.includes(wish.name)) return void attempt.fail({ field: "name", key: "ops.form.nameTaken" });
    return wish;
  };
  const test = async () => {
    const wish = wished();
    if (!wish) return;
    setFound(null);
    setFound((await attempt.run(() => fresh(() => api.tryOut(wish.name, wish.fields)))) ?? null);
  };
  const save = async (event) => {
    event.preventDefault();
    const wish = wished();
    if (!wish) return;
    const dialog = sent.current.closest("dialog");
    const made = await attempt.run(() => fresh(() => api.put(wish.name, wish.fields)));
    if (!made) return;
    dialog.close();
    onDone(made);
  };
  const offered = profiles.filter((each) => each.dialect === dialect);
  const servers = offered.find(({ name }) => name === chosen)?.servers;
  const toDialect = ({ target }) => {
    setDialect(target.value);
    setChosen(profiles.find((each) => each.dialect === target.value).name);
  };
  return html`
    <${Modal} title=${known ? t("ops.form.change", { name: known.name }) : t("ops.up.add")} onClose=${onClose}>
      <form method="post" class="fields ops-form" ref=${(element) => (form.current = sent.current = element)} onSubmit=${save} novalidate
        aria-busy=${attempt.busy}>
        <${TextField} label=${t("ops.form.name")} name="name" hint=${t("ops.form.nameText")} wrong=${wrong} maxlength="32"
          defaultValue=${given.name} readonly=${Boolean(known)} autocapitalize="none" spellcheck=${false} />
        <${TextField} label=${t("ops.form.address")} name="baseUrl" hint=${t("ops.form.addressText")} wrong=${wrong} inputmode="url"
          defaultValue=${given.baseUrl} autocapitalize="none" spellcheck=${false} />
        <${TextField} label=${t("ops.form.key")} name="apiKey" type="password" autocomplete="new-password" wrong=${wrong}
          hint=${known?.hasApiKey ? t("ops.form.keyKept") : t("ops.form.keyText")} />
        <div class="ops-pair">
          <${Choice} label=${t("ops.form.dialect")} name="dialect" value=${dialect} onChange=${toDialect}
            options=${DIALECTS.map((each) => [each, t(`ops.dialect.${each}`)])} />
          <${Choice} label=${t("ops.form.profile")} name="profile" value=${chosen} onChange=${({ target }) => setChosen(target.value)}
            options=${offered.map(({ name }) => [name, name])} hint=${servers} />
        </div>
        <label class="field">
          <span>${t("ops.form.models")}</span>
          <textarea name="models" rows="3" autocapitalize="none" spellcheck=${false} aria-invalid=${wrong === "models"}
            placeholder="sora-2 = wan-2.2" defaultValue=${given.models}></textarea>
          <span class="quiet">${t("ops.form.modelsText")}</span>
        </label>
        <details class="ops-more">
          <summary>${t("ops.form.limits")}</summary>
          <div class="ops-pair">
            ${number("maxConcurrent", given, wrong)} ${number("maxCreating", given, wrong)}
            ${number("requestsPerMinute", given, wrong)} ${number("spendCap", given, wrong)}
            ${number("costPerVideo", given, wrong)} ${number("costPerSecond", given, wrong)}
          </div>
          <p class="quiet">${t("ops.form.limitsText")}</p>
          <div class="ops-pair">
            <${TextField} label=${t("ops.form.sizes")} name="sizes" placeholder="1280x720, 720x1280" defaultValue=${given.sizes} wrong=${wrong} />
            <${TextField} label=${t("ops.form.seconds")} name="seconds" placeholder="4, 8, 12" defaultValue=${given.seconds} wrong=${wrong} />
          </div>
          <${Choice} label=${t("ops.form.onAmbiguous")} name="onAmbiguous" value=${given.onAmbiguous}
            options=${IN_DOUBT.map(([value, name]) => [value, t(`ops.ambiguous.${name}`)])} />
          <${TextField} label=${t("ops.form.webhookSecret")} name="webhookSecret" type="password" autocomplete="new-password" wrong=${wrong}
            hint=${known?.hasWebhookSecret ? t("ops.form.keyKept") : t("ops.form.webhookText")} />
        </details>
        ${found && html`<${DoctorLines} found=${found} onProfile=${setChosen} />`}
        <${Problem} attempt=${attempt} />
        <footer class="actions">
          <${Submit} attempt=${attempt}>${t("ops.form.save")}<//>
          <button type="button" aria-disabled=${attempt.resting} onClick=${test}>${t("ops.form.test")}</button>
          <span class="quiet">${t("ops.form.testText")}</span>
        </footer>
      </form>
    <//>
  `;
}

/** The name of a field of the form for one of the API's, which may be a part of it (`models.x`). */
const fieldName = (param) => param?.split(".")[0].replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

const number = (name, given, wrong) =>
  html`<${NumberField} label=${t(`ops.form.${name}`)} name=${name} inputmode="decimal" defaultValue=${given[name]} wrong=${wrong} />`;
