// The HTTP API, operation by operation: fill in, send, read the answer, take the code along.

import { useMemo, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { description, tryOut } from "./api.js";
import { Code, here } from "./code.js";
import { jsonFault, operationsOf, requestOf } from "./operations.js";
import { requestCode } from "./snippets.js";

const FIRST = "create_task";

export function HttpConsole() {
  const known = useLoaded(description);
  return html`<${Loaded} from=${known}>${(document) => html`<${Operations} document=${document} />`}<//>`;
}

function Operations({ document }) {
  const operations = useMemo(() => operationsOf(document), [document]);
  const [id, setId] = useState(FIRST);
  const tags = [...new Set(operations.map(({ tag }) => tag))];
  const chosen = operations.find((each) => each.id === id) ?? operations[0];
  return html`
    <label class="choice operation">
      <span>${t("console.operation")}</span>
      <select value=${chosen.id} onChange=${(event) => setId(event.target.value)}>
        ${tags.map(
          (tag) => html`
            <optgroup label=${tag}>
              ${operations
                .filter((each) => each.tag === tag)
                .map((each) => html`<option value=${each.id}>${each.method} ${each.path} – ${each.summary}</option>`)}
            </optgroup>
          `,
        )}
      </select>
    </label>
    <${Operation} key=${chosen.id} operation=${chosen} />
  `;
}

function Operation({ operation }) {
  const [values, setValues] = useState({});
  const [body, setBody] = useState(operation.body ?? "");
  const [key, setKey] = useState("");
  const [answer, setAnswer] = useState(null);
  const attempt = useAttempt();
  const request = requestOf(operation, { values, body, key });
  const fault = operation.body === null ? null : jsonFault(body);
  const send = (event) => {
    event.preventDefault();
    if (request.missing.length) return attempt.fail({ message: t("console.missing", { names: request.missing.join(", ") }) });
    return attempt.run(async () => setAnswer(await tryOut(request)));
  };
  return html`
    <div class="console">
      <form class="fields" onSubmit=${send}>
        <p class="address"><strong>${operation.method}</strong> <code>/${request.path}</code></p>
        ${operation.description && html`<p class="quiet">${operation.description}</p>`}
        ${operation.parameters.map(
          (each) => html`
            <label class="field">
              <span><code>${each.name}</code> <span class="quiet">${t(`console.in.${each.where}`)}${each.required ? ` · ${t("console.required")}` : ""}</span></span>
              <input autocomplete="off" spellcheck="false" value=${values[each.name] ?? ""}
                onInput=${(event) => setValues({ ...values, [each.name]: event.target.value })} />
              ${each.text && html`<span class="quiet">${each.text}</span>`}
            </label>
          `,
        )}
        ${operation.body !== null &&
        html`
          <label class="field">
            <span>${t("console.body")}</span>
            <textarea class="mono" rows="8" spellcheck="false" value=${body} aria-invalid=${fault !== null}
              onInput=${(event) => setBody(event.target.value)}></textarea>
            ${fault && html`<span class="problem">${t("console.noJson", { fault })}</span>`}
          </label>
        `}
        ${operation.files && html`<p class="notice">${t("console.files")}</p>`}
        <label class="field">
          <span>${t("console.key")}</span>
          <input autocomplete="off" spellcheck="false" value=${key} placeholder=${t("console.asYou")}
            onInput=${(event) => setKey(event.target.value.trim())} />
          <span class="quiet">${t("console.keyText")}</span>
        </label>
        <div><button class="primary" aria-disabled=${attempt.resting}>${attempt.busy ? t("form.busy") : t("console.send")}</button></div>
        <${Problem} attempt=${attempt} text=${(error) => error.message} />
      </form>
      <div class="beside">
        <${Code} code=${(language) => requestCode(language, here(), request)} />
        ${answer && html`<${Answer} answer=${answer} />`}
      </div>
    </div>
  `;
}

const LONGEST = 100_000;

function Answer({ answer: { status, headers, text, took } }) {
  const shown = pretty(text);
  return html`
    <section class="answer" aria-label=${t("console.answer")}>
      <p role="status" data-good=${status < 400}>
        <strong>${status}</strong> <span class="quiet">${t("console.took", { ms: Math.round(took), bytes: text.length })}</span>
      </p>
      <details>
        <summary>${t("console.headers")}</summary>
        <pre tabindex="0"><code>${headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</code></pre>
      </details>
      ${shown ? html`<pre tabindex="0"><code>${shown.slice(0, LONGEST)}</code></pre>` : html`<p class="quiet">${t("console.noBody")}</p>`}
    </section>
  `;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
