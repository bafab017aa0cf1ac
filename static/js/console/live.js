// The live protocol, frame by frame: connect, subscribe, say something, see what comes.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { timeOfDay } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Code, here } from "./code.js";
import { openSocket, openStream } from "./frames.js";
import { liveCode } from "./snippets.js";
import { streamOf, subscribeOf } from "./topics.js";

const KEPT = 500;
const TOPICS = ["all", "videoId", "externalVideoId"];

export function LiveConsole() {
  const [wish, setWish] = useState({ transport: "websocket", topic: "all", id: "", since: "", log: false, pending: false });
  const [frames, setFrames] = useState([]);
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('{"type":"ping"}');
  const line = useRef(null);
  const number = useRef(0);
  const change = (part) => setWish((was) => ({ ...was, ...part }));
  const told = ({ over, ...frame }) => {
    number.current += 1;
    const whole = { ...frame, number: number.current, at: Date.now() };
    setFrames((was) => [whole, ...was].slice(0, KEPT));
    if (over) setOpen(false);
  };
  useEffect(() => () => line.current?.close(), []);
  const connect = (event) => {
    event.preventDefault();
    line.current?.close();
    setOpen(true);
    line.current = wish.transport === "websocket" ? openSocket(told) : openStream(streamOf(wish), told);
  };
  const socket = wish.transport === "websocket";
  return html`
    <div class="console">
      <form class="fields" onSubmit=${connect}>
        <div class="choices">
          <${Choice} label=${t("console.transport")} value=${wish.transport} options=${["websocket", "sse"]}
            text=${(name) => t(`console.transport.${name}`)} onChange=${(transport) => change({ transport })} />
          <${Choice} label=${t("console.topic")} value=${wish.topic} options=${TOPICS}
            text=${(name) => t(`console.topic.${name}`)} onChange=${(topic) => change({ topic })} />
        </div>
        ${wish.topic !== "all" &&
        html`<label class="field"><span>${t(`console.topic.${wish.topic}`)}</span>
          <input autocomplete="off" spellcheck="false" value=${wish.id} onInput=${(event) => change({ id: event.target.value.trim() })} /></label>`}
        <label class="field"><span>${t("console.since")}</span>
          <input autocomplete="off" spellcheck="false" value=${wish.since} onInput=${(event) => change({ since: event.target.value.trim() })} />
          <span class="quiet">${t("console.sinceText")}</span></label>
        ${wish.topic !== "all" && html`<${Tick} label=${t("console.log")} value=${wish.log} onChange=${(log) => change({ log })} />`}
        ${socket && wish.topic === "externalVideoId" && html`<${Tick} label=${t("console.pending")} value=${wish.pending} onChange=${(pending) => change({ pending })} />`}
        <div class="actions">
          <button class="primary" disabled=${open}>${t("console.connect")}</button>
          ${socket && html`<button type="button" disabled=${!open} onClick=${() => line.current.send(JSON.stringify(subscribeOf(wish)))}>${t("console.subscribe")}</button>`}
          <button type="button" disabled=${!open} onClick=${() => line.current.close()}>${t("console.disconnect")}</button>
        </div>
        ${socket &&
        html`
          <label class="field"><span>${t("console.say")}</span>
            <textarea class="mono" rows="3" spellcheck="false" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
          <div><button type="button" disabled=${!open} onClick=${() => line.current.send(text)}>${t("console.send")}</button></div>
        `}
        <${Code} code=${(language) => liveCode(language, here(), { transport: wish.transport, subscribe: subscribeOf(wish), path: streamOf(wish) })} />
      </form>
      <section class="beside" aria-label=${t("console.frames")}>
        <div class="bar-of-buttons">
          <h3>${t("console.frames")}</h3>
          <button class="push" disabled=${frames.length === 0} onClick=${() => setFrames([])}>${t("console.clear")}</button>
        </div>
        ${frames.length === 0 && html`<div class="empty"><p class="quiet">${t("console.noFrames")}</p></div>`}
        <ol class="frames">${frames.map((frame) => html`<${Frame} key=${frame.number} frame=${frame} />`)}</ol>
      </section>
    </div>
  `;
}

function Frame({ frame: { direction, text, note, at, number } }) {
  return html`
    <li data-direction=${direction}>
      <details>
        <summary>
          <span class="quiet">${number} · ${timeOfDay(at)}</span>
          <span class="badge">${t(`console.direction.${direction}`)}</span>
          ${note && html`<span class="quiet">${note}</span>`}
          <code>${text}</code>
        </summary>
        <pre tabindex="0"><code>${pretty(text)}</code></pre>
      </details>
    </li>
  `;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Choice({ label, value, options, text, onChange }) {
  return html`
    <label class="choice">
      <span>${label}</span>
      <select value=${value} onChange=${(event) => onChange(event.target.value)}>
        ${options.map((option) => html`<option value=${option}>${text(option)}</option>`)}
      </select>
    </label>
  `;
}

const Tick = ({ label, value, onChange }) => html`
  <label class="tick"><input type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} /> ${label}</label>
`;
