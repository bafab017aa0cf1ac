// The image that the video begins with: chosen, and shown as the upstream gets it.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { fileAddress, request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { announcement } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";
import { sidesOf } from "./choices.js";
import { Here } from "./here.js";
import { Library } from "./library.js";
import { FITS, effect, placed } from "./picture.js";
import { Segments } from "./segments.js";
import { carried } from "./sending.js";

const TYPES = ["image/jpeg", "image/png", "image/webp"];
const SOFT = 1.3; // Enlarged so often it begins to look soft.
const MEGA = 1_000_000;

export function ImagePart({ image, setImage, draft, change, choice, limits, attempt, busy }) {
  const [library, setLibrary] = useState(false);
  const choose = (event) => {
    const [file] = event.target.files;
    if (file) setImage({ blob: file, name: file.name });
    event.target.value = "";
  };
  return html`
    <section class="image-part" aria-labelledby="create-image">
      <h3 id="create-image">${t("create.image")}</h3>
      ${image
        ? html`<${Chosen} image=${image} setImage=${setImage} draft=${draft} change=${change} choice=${choice} limits=${limits} />`
        : html`<p class="quiet">${t("create.imageText")}</p>`}
      <div class="actions">
        <label class="button file">
          <input type="file" accept=${TYPES.join(",")} autocomplete="off" class="visually-hidden" disabled=${busy} onChange=${choose} />
          <${Icon} name="image" />${image ? t("create.otherFile") : t("create.file")}
        </label>
        <button type="button" aria-expanded=${library} onClick=${() => setLibrary(!library)}>
          <${Icon} name="grid" />${t("create.library")}
        </button>
        ${image && html`<button type="button" onClick=${() => setImage(null)}><${Icon} name="close" />${t("create.removeImage")}</button>`}
      </div>
      ${library &&
      html`
        <${Library} current=${image?.id} onChoose=${(saved) => {
          setImage({ id: saved.id, name: saved.name, url: saved.url });
          setLibrary(false);
        }} onGone=${(id) => image?.id === id && setImage(null)} />
      `}
      <${Here} attempt=${attempt} at="image" />
    </section>
  `;
}

function Chosen({ image, setImage, draft, change, choice, limits }) {
  const shown = useDrawable(image);
  const fit = draft.fit ?? "crop";
  const fault = faultOf(image, shown, limits);
  useEffect(() => {
    if ((image.fault?.key ?? null) !== (fault?.key ?? null)) setImage({ ...image, fault });
  }, [fault?.key]);
  return html`
    ${fault
      ? html`<p class="problem" role="alert">${t(fault.key, fault.values)}</p>`
      : shown.drawable && choice && html`<${Preview} drawable=${shown.drawable} name=${image.name} size=${choice.size} fit=${fit} />`}
    <${Segments} label=${t("create.fit")} name="fit" value=${fit}
      options=${FITS.map((value) => ({ value, title: t(`create.fit.${value}`) }))} onChange=${(next) => change({ fit: next })} />
    ${!image.id && !fault && shown.drawable && html`<div class="actions"><${Keep} image=${image} setImage=${setImage} /></div>`}
  `;
}

/** { drawable, failed }: the image as the browser shows it, upright. */
function useDrawable({ blob, url }) {
  const [state, setState] = useState({ drawable: null, failed: false });
  useEffect(() => {
    const address = blob ? URL.createObjectURL(blob) : fileAddress(url);
    const element = new Image();
    let wanted = true;
    setState({ drawable: null, failed: false });
    element.onload = () => wanted && setState({ drawable: element, failed: false });
    element.onerror = () => wanted && setState({ drawable: null, failed: true });
    element.src = address;
    return () => {
      wanted = false;
      if (blob) URL.revokeObjectURL(address);
    };
  }, [blob, url]);
  return state;
}

/** What keeps the image from being sent: { param, key, values }, or null. */
function faultOf({ blob }, { drawable, failed }, { imageBytes, imagePixels }) {
  const about = (key, values) => ({ param: "inputReference", key, values });
  if (blob && !TYPES.includes(blob.type)) return about("create.wrongType");
  if (failed) return about("create.damaged");
  if (blob && imageBytes && blob.size > imageBytes) {
    return about("create.tooLarge", { size: (blob.size / MEGA).toFixed(1), most: Math.floor(imageBytes / MEGA) });
  }
  const pixels = drawable ? drawable.naturalWidth * drawable.naturalHeight : 0;
  if (imagePixels && pixels > imagePixels) {
    return about("create.tooManyPixels", { pixels: (pixels / MEGA).toFixed(1), most: Math.floor(imagePixels / MEGA) });
  }
  return null;
}

/** Drawn by the gateway's own geometry, at the size that goes upstream. */
function Preview({ drawable, name, size, fit }) {
  const canvas = useRef(null);
  const sides = sidesOf(size);
  const image = { width: drawable.naturalWidth, height: drawable.naturalHeight };
  useEffect(() => {
    const { from, to } = placed(image, sides, fit);
    const pen = canvas.current.getContext("2d");
    pen.fillStyle = "black";
    pen.fillRect(0, 0, sides.width, sides.height);
    pen.fillStyle = "white"; // What shines through becomes white.
    pen.fillRect(to.x, to.y, to.width, to.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(drawable, from.x, from.y, from.width, from.height, to.x, to.y, to.width, to.height);
  }, [drawable, size, fit]);
  return html`
    <figure class="preview">
      <canvas ref=${canvas} width=${sides.width} height=${sides.height} role="img" aria-label=${t("create.preview", { name })}></canvas>
      <figcaption class="quiet">
        <span class="name" dir="auto">${name}</span> ${image.width} × ${image.height} → ${sides.width} × ${sides.height}
        <${Effect} of=${effect(image, sides, fit)} />
      </figcaption>
    </figure>
  `;
}

function Effect({ of }) {
  const said = [
    of.lost > 0 && t("create.lost", { percent: of.lost }),
    of.bars > 0 && t("create.bars", { percent: of.bars }),
    of.bent > 2 && t("create.bent", { percent: of.bent }),
    of.enlarged > SOFT && t("create.enlarged", { times: of.enlarged.toFixed(1) }),
  ].filter(Boolean);
  return said.map((sentence) => html`<span class="said" key=${sentence}>${sentence}</span>`);
}

/** Puts the image into the library, so that it need not be chosen again. */
function Keep({ image, setImage }) {
  const attempt = useAttempt();
  const [part, setPart] = useState(0);
  const keep = (library) =>
    attempt.run(async () => {
      const { reference, exchange } = await carried(image, setPart);
      const body = { imageUrl: reference.imageUrl, name: image.name.slice(0, 100), library };
      const saved = await request("POST", "api/references", { body, ...(exchange && { exchange }) });
      announcement.value = t("create.kept");
      setImage({ id: saved.id, name: saved.name, url: saved.url });
    });
  return html`
    <button type="button" aria-disabled=${attempt.resting} onClick=${() => keep("personal")}>${t("create.keep")}</button>
    <button type="button" aria-disabled=${attempt.resting} onClick=${() => keep("team")}>${t("create.keepTeam")}</button>
    ${attempt.busy && html`<progress class="sent" max="1" value=${part} aria-label=${t("composer.imageSending")}></progress>`}
    <${Problem} attempt=${attempt} />
  `;
}
