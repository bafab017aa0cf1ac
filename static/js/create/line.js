// The one line of choices: model, length, shape, size.

import { loadModels } from "../actions.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { models, modelsError } from "../state.js";
import { shapeOf, sidesOf, sizeIn } from "./choices.js";

export function Choices({ choice, models, change, busy }) {
  return html`
    <${Choice} label=${t("composer.model")} value=${choice.model} options=${models.map(({ id }) => id)} disabled=${busy}
      onChange=${(model) => change({ model })} />
    <${Choice} label=${t("composer.seconds")} value=${choice.seconds} options=${choice.lengths} disabled=${busy}
      text=${(count) => t("composer.secondsOption", { count })}
      onChange=${(seconds) => change({ seconds: Number(seconds) })} />
    <fieldset class="choice shapes" disabled=${busy}>
      <legend>${t("composer.shape")}</legend>
      <div>
        ${choice.shapes.map(
          (shape) => html`
            <label key=${shape} title=${t(`size.${shape}`)}>
              <input type="radio" name="shape" autocomplete="off" class="visually-hidden" checked=${shape === choice.shape}
                onChange=${() => change({ size: sizeIn(shape, choice) })} />
              <span class=${`shape ${shape}`} aria-hidden="true"></span>
              <span class="visually-hidden">${t(`size.${shape}`)}</span>
            </label>
          `,
        )}
      </div>
    </fieldset>
    <${Choice} label=${t("composer.size")} value=${choice.size} options=${choice.sizes} text=${sizeText} disabled=${busy}
      onChange=${(size) => change({ size })} />
  `;
}

export function Choice({ label, value, options, text = String, onChange, disabled = false }) {
  return html`
    <label class="choice">
      <span>${label}</span>
      <select value=${value} disabled=${disabled} onChange=${(event) => onChange(event.target.value)}>
        ${options.map((option) => html`<option key=${option} value=${option}>${text(option)}</option>`)}
      </select>
    </label>
  `;
}

export function sizeText(size) {
  const { width, height } = sidesOf(size);
  return `${width} × ${height}`;
}

/** What is there in their place. */
export function ModelsState() {
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

/** What is known already, where nothing can be chosen. */
export const Fixed = ({ model, seconds, size }) => html`
  <p class="fixed quiet">
    ${[model, t("composer.secondsOption", { count: seconds }), `${t(`size.${shapeOf(size)}`)} ${sizeText(size)}`].join(" · ")}
  </p>
`;
