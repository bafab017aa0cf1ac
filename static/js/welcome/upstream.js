// The third step: a real upstream, with what doctor says of it before it is kept.

import { useRef, useState } from "../../vendor/hooks.js";
import { upstreams } from "../admin/ops/api.js";
import { DoctorLines } from "../admin/ops/doctor.js";
import { fieldsOf, wishOf } from "../admin/ops/entries.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { fresh, lookWhoIAm } from "../session.js";
import { session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { useArrival, useMending, valuesOf } from "../views/fields.js";
import { Loaded, useLoaded } from "../views/loaded.js";

export function Upstream({ next }) {
  const place = useArrival();
  const known = useLoaded(upstreams.list);
  const [added, setAdded] = useState(null);
  return html`
    <section class="step" ref=${place} aria-labelledby="step-title">
      <h3 id="step-title" tabindex="-1">${t("welcome.upstream.title")}</h3>
      ${added
        ? html`<p role="status">${t("welcome.upstream.added", { name: added })}</p><${Finish} next=${next} />`
        : session.value.simulator
          ? html`<${Loaded} from=${known}>${(list) => html`<${UpstreamForm} profiles=${list.profiles} onDone=${setAdded} next=${next} />`}<//>`
          : html`
              <p>${t("welcome.upstream.there")} <a href=${to("admin", "upstreams")}>${t("outage.link")}</a></p>
              <${Finish} next=${next} />
            `}
    </section>
  `;
}

const Finish = ({ next }) => html`<p><button class="primary" onClick=${next}>${t("welcome.finish")}</button></p>`;

/** Checks first. What doctor finds wrong is no obstacle for whoever knows better. */
function UpstreamForm({ profiles, onDone, next }) {
  const attempt = useAttempt();
  const wrong = attempt.error?.field ?? attempt.error?.param?.split(".")[0].replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  const form = useMending(wrong ? { field: wrong } : null);
  const [dialect, setDialect] = useState("openai");
  const [profile, setProfile] = useState("generic");
  const [found, setFound] = useState(null);
  const sent = useRef(null);
  const offered = profiles.filter((each) => each.dialect === dialect);
  const submit = (anyway) => async (event) => {
    event.preventDefault();
    const { wish, field, key } = wishOf({ ...fieldsOf(null), apiKey: "", webhookSecret: "", ...valuesOf(sent.current) });
    if (field) return attempt.fail({ field, key });
    setFound(null);
    const done = await attempt.run(() => fresh(() => checkedAndAdded(wish, anyway, setFound)));
    if (!done) return undefined;
    await lookWhoIAm(); // The simulator does not stand in any more.
    return onDone(wish.name);
  };
  const input = (name, more = {}) => html`
    <label class="field">
      <span>${t(`welcome.upstream.${name}`)}</span>
      <input name=${name} autocomplete="off" autocapitalize="none" spellcheck=${false} aria-invalid=${wrong === name} ...${more} />
    </label>
  `;
  return html`
    <p>${t("welcome.upstream.text")}</p>
    <form method="post" class="fields" ref=${(element) => (form.current = sent.current = element)} onSubmit=${submit(false)} novalidate
      aria-busy=${attempt.busy}>
      <div class="pair">
        ${input("name", { maxlength: 32, placeholder: "studio" })} ${input("baseUrl", { inputmode: "url", placeholder: t("welcome.upstream.example") })}
      </div>
      <div class="pair">
        <label class="field">
          <span>${t("welcome.upstream.dialect")}</span>
          <select name="dialect" value=${dialect} onChange=${({ target }) => {
            setDialect(target.value);
            setProfile(profiles.find((each) => each.dialect === target.value).name);
          }}>
            ${["openai", "chat-stream"].map((each) => html`<option value=${each}>${t(`ops.dialect.${each}`)}</option>`)}
          </select>
        </label>
        <label class="field">
          <span>${t("welcome.upstream.profile")}</span>
          <select name="profile" value=${profile} onChange=${({ target }) => setProfile(target.value)}>
            ${offered.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
          </select>
        </label>
      </div>
      ${input("apiKey", { type: "password", autocomplete: "new-password" })}
      <label class="field">
        <span>${t("welcome.upstream.models")}</span>
        <textarea name="models" rows="2" autocapitalize="none" spellcheck=${false} aria-invalid=${wrong === "models"} placeholder="sora-2"></textarea>
        <span class="quiet">${t("ops.form.modelsText")}</span>
      </label>
      ${found && html`<${DoctorLines} found=${found} onProfile=${setProfile} />`}
      <${Problem} attempt=${attempt} />
      <footer class="actions">
        <button class="primary" aria-disabled=${attempt.resting}>${attempt.busy ? t("form.busy") : t("welcome.upstream.submit")}</button>
        ${found && html`<button type="button" aria-disabled=${attempt.resting} onClick=${submit(true)}>${t("welcome.upstream.anyway")}</button>`}
        <button type="button" class="link" onClick=${next}>${t("welcome.later")}</button>
      </footer>
    </form>
  `;
}

/** Adds it when doctor finds nothing wrong, or `anyway`; tells what was found otherwise. Raises ApiError. */
async function checkedAndAdded({ name, fields }, anyway, tell) {
  if (!anyway) {
    const found = await upstreams.tryOut(name, fields);
    if (!found.ok) {
      tell(found);
      return false;
    }
  }
  await upstreams.put(name, fields);
  return true;
}
