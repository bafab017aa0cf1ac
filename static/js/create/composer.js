// What shall be made: the prompt and its few choices. The draft survives a reload.

import { useState } from "../../vendor/hooks.js";
import { keepDraft, loadModels, readDraft, submit } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { models, modelsError } from "../state.js";
import { Icon } from "../views/icons.js";

const ANY_SIZES = ["720x1280", "1280x720", "1024x1792", "1792x1024"];
const ANY_SECONDS = [4, 8, 12];

/** The wish nearest to the draft that the offered models allow; null while nothing is offered. */
function allowed(draft, offered) {
  if (!offered?.length) return null;
  const model = offered.find(({ id }) => id === draft.model) ?? offered[0];
  const sizes = model.sizes.length ? model.sizes : ANY_SIZES;
  const seconds = model.seconds.length ? model.seconds : ANY_SECONDS;
  return {
    model: model.id,
    sizes,
    size: sizes.includes(draft.size) ? draft.size : sizes[0],
    lengths: seconds,
    seconds: seconds.includes(draft.seconds) ? draft.seconds : seconds[0],
  };
}

export function Composer() {
  const [draft, setDraft] = useState(readDraft);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const offered = models.value;
  const choice = allowed(draft, offered);
  const prompt = draft.prompt ?? "";
  const ready = choice !== null && !busy && prompt.trim() !== "";

  const change = (part) => {
    const next = { ...draft, ...part };
    setDraft(next);
    keepDraft(next);
  };
  const send = async (event) => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setProblem(null);
    const { model, size, seconds } = choice;
    try {
      await submit({ prompt: prompt.trim(), model, seconds, size });
      change({ prompt: "" });
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const onKey = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
  };

  return html`
    <form class="composer" onSubmit=${send} aria-busy=${busy}>
      <label>
        <span class="visually-hidden">${t("composer.prompt")}</span>
        <textarea rows="3" dir="auto" value=${prompt} placeholder=${t("composer.placeholder")} readonly=${busy}
          onInput=${(event) => change({ prompt: event.target.value })} onKeyDown=${onKey}></textarea>
      </label>
      <div class="choices">
        ${choice &&
        html`
          <${Choice} label=${t("composer.model")} value=${choice.model} options=${offered.map(({ id }) => id)}
            onChange=${(model) => change({ model })} />
          <${Choice} label=${t("composer.seconds")} value=${choice.seconds} options=${choice.lengths}
            text=${(count) => t("composer.secondsOption", { count })}
            onChange=${(seconds) => change({ seconds: Number(seconds) })} />
          <${Choice} label=${t("composer.size")} value=${choice.size} options=${choice.sizes} text=${sizeText}
            onChange=${(size) => change({ size })} />
        `}
        <${ModelsState} />
        <button class="primary" disabled=${!ready} title=${t("composer.shortcut")}>
          <${Icon} name="spark" />${busy ? t("composer.sending") : t("composer.submit")}
        </button>
      </div>
      ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
    </form>
  `;
}

function ModelsState() {
  if (modelsError.value) {
    return html`
      <p class="problem" role="alert">
        ${t("composer.modelsFailed")} ${errorText(modelsError.value)}${" "}
        <button type="button" class="link" onClick=${loadModels}>${t("action.tryAgain")}</button>
      </p>
    `;
  }
  if (models.value === null) return html`<p class="quiet">${t("composer.modelsLoading")}</p>`;
  if (models.value.length === 0) return html`<p class="problem">${t("composer.noModels")}</p>`;
  return null;
}

function Choice({ label, value, options, text = String, onChange }) {
  return html`
    <label class="choice">
      <span>${label}</span>
      <select value=${value} onChange=${(event) => onChange(event.target.value)}>
        ${options.map((option) => html`<option value=${option}>${text(option)}</option>`)}
      </select>
    </label>
  `;
}

function sizeText(size) {
  const [width, height] = size.split("x").map(Number);
  const shape = width === height ? "square" : width > height ? "landscape" : "portrait";
  return `${t(`size.${shape}`)} ${width} × ${height}`;
}
