// What shall be made: the prompt and its draft, which survives a reload. The rest is loaded at the first sign of somebody
// who could want it: a board on a wall needs none of it.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { keepDraft, readDraft } from "../actions.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, route, to } from "../router.js";
import { useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";

const SIGNS = ["pointermove", "pointerdown", "keydown", "focusin"];

export function Composer() {
  const [draft, setDraft] = useState(readDraft);
  const [image, setImage] = useState(null); // { blob, name } of this device or { id, name, url } of the library.
  const [desk, setDesk] = useState(null); // The module with the rest, when it is here.
  const [over, setOver] = useState(false);
  const attempt = useAttempt();
  const field = useRef(null);
  const latest = useRef(draft);
  const send = useRef(null); // What sends it, when that is here.
  const wanted = useRef(false); // It was to be sent before that.
  const arrived = useRef(false); // It was filled from a video just now.

  const change = (part) => {
    wanted.current = false;
    latest.current = { ...latest.current, ...part };
    setDraft(latest.current);
    keepDraft(latest.current);
    if (attempt.error && !attempt.waiting) attempt.fail(null);
  };
  const put = (next) => {
    setImage(next);
    if (attempt.error && !attempt.waiting) attempt.fail(null);
  };
  const wake = async () => {
    const loaded = await import("./desk.js");
    setDesk(loaded);
    return loaded;
  };
  useEffect(() => {
    const woken = () => {
      for (const sign of SIGNS) removeEventListener(sign, woken);
      wake().catch(attempt.fail);
    };
    if (Object.keys(draft).length) woken();
    else for (const sign of SIGNS) addEventListener(sign, woken, { passive: true });
    return () => SIGNS.forEach((sign) => removeEventListener(sign, woken));
  }, []);
  const { search } = route.value;
  const from = search.get("from");
  useEffect(() => {
    if (!from) return;
    go(to(""), { replace: true }); // So that a reload does not fill it once more.
    attempt.run(async () => {
      const filled = await (await wake()).fillFrom(from, search.get("as") ?? "create", latest.current);
      setImage(filled.image);
      arrived.current = true;
      change(filled.draft);
      field.current?.focus({ preventScroll: true });
    });
  }, [from]);

  const take = (files) => {
    const blob = [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
    const { source } = latest.current;
    if (!blob || attempt.busy || (source && source.how !== "create")) return;
    put({ blob, name: blob.name });
    change({ more: true });
  };
  const submit = (event) => {
    event.preventDefault();
    if (send.current) send.current();
    else wanted.current = true;
  };
  const onKey = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const onPaste = ({ clipboardData }) => !clipboardData?.types.includes("text/plain") && take(clipboardData?.files);
  const dragged = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    setOver(event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
  };

  const shared = { draft, change, image, setImage: put, attempt, field, send, wanted, arrived };
  return html`
    <form class=${over ? "composer over-it" : "composer"} onSubmit=${submit} aria-busy=${attempt.busy} novalidate
      aria-labelledby="composer-title" onDragover=${dragged} onDragleave=${dragged} onDrop=${dragged} onPaste=${onPaste}>
      <h2 class="visually-hidden" id="composer-title">${t("composer.title")}</h2>
      ${desk && html`<${desk.Above} ...${shared} />`}
      <label>
        <span class="visually-hidden">${draft.list ? t("composer.prompts") : t("composer.prompt")}</span>
        <textarea name="prompt" rows="3" dir="auto" ref=${field} value=${draft.prompt ?? ""} readonly=${attempt.busy}
          placeholder=${placeholder(draft)} onInput=${(event) => change({ prompt: event.target.value, template: null })}
          onKeyDown=${onKey}></textarea>
      </label>
      ${desk ? html`<${desk.Below} ...${shared} />` : html`<${Asleep} prompt=${draft.prompt} />`}
    </form>
  `;
}

/** Where the choices will be, with the button that sends them: pressed early, it is kept until they are here. */
const Asleep = ({ prompt }) => html`
  <div class="choices asleep">
    <button class="primary" disabled=${!prompt?.trim()}><${Icon} name="spark" />${t("composer.submit")}</button>
  </div>
`;

function placeholder({ source, list }) {
  if (source?.how === "edit") return t("composer.placeholderEdit");
  if (source?.how === "extend") return t("composer.placeholderExtend");
  return list ? t("composer.placeholderList") : t("composer.placeholder");
}
