// What the page really knows about its live connection, and how old what it shows may be.

import { clock, timeOfDay } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { connection, oldSince, second, silence, transport } from "../state.js";

/** A moment without a connection is nothing that anybody has to be told. */
const PATIENCE_MS = 3_000;

export function Connection() {
  const word = connection.value;
  const carrier = transport.value;
  const hint = t(`connection.${word}.hint`) + (carrier ? ` ${t(`connection.over.${carrier}`)}` : "");
  return html`
    <p class="connection" data-state=${word} data-transport=${carrier} title=${hint}>
      <span class="dot"></span><span role="status">${t(`connection.${word}`)}</span><${Since} />
    </p>
  `;
}

/** How long it has been so, for the eye only: it would be read out every second. */
function Since() {
  if (oldSince.value === null) return null;
  return html`<span class="since" aria-hidden="true">${clock((second.value - oldSince.value) / 1_000)}</span>`;
}

/** Above every screen while what is shown may be old: since when, and why. */
export function Stale() {
  const since = oldSince.value;
  const word = connection.value;
  if (since === null || (word !== "stopped" && second.value - since < PATIENCE_MS)) return null;
  return html`<${Told} since=${since} word=${word} />`;
}

function Told({ since, word }) {
  const kind = staleKind(word, silence.value);
  return html`
    <div class="notice warn stale" role="status">
      <p>${t(`stale.${kind}`, { time: timeOfDay(since) })}</p>
      ${word === "stopped" && html`<button onClick=${() => location.reload()}>${t("action.reload")}</button>`}
    </div>
  `;
}

/** Why: by the connection's word, and by how the last question to the API ended (an ApiError or null). */
export function staleKind(word, error) {
  if (word === "stopped" || word === "offline") return word;
  if (error?.code === "unavailable") return "restarting";
  return error?.status === 0 ? "silent" : "reconnecting";
}
