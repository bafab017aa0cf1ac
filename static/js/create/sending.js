// Images on their way: to the gateway with a word on how far they are, which fetch does not have, and back from it.

import { fileAddress } from "../api.js";
import { t } from "../i18n.js";

const SILENCE_MS = 30_000;
const LARGE = 300_000; // Characters; what is smaller is there before anybody looks.

/** What a request says of an image, and what sends it: { reference, exchange }. `onProgress` is told the part that is
 *  sent, 0 to 1. Rejects when the file cannot be read (any more). */
export async function carried(image, onProgress) {
  if (image.id) return { reference: { imageId: image.id } };
  const imageUrl = await dataUrlOf(image.blob).catch(() => {
    throw { code: "unreadable", param: "inputReference", message: t("create.unreadable") };
  });
  return { reference: { imageUrl }, ...(imageUrl.length > LARGE && { exchange: telling(onProgress) }) };
}

const dataUrlOf = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

/** Stands in for fetch in api.js. It gives up when nothing moves for a while. */
const telling = (onProgress) => async (url, wanted) => {
  const line = await carriedOver(url, wanted, ({ loaded, total }) => onProgress(total ? loaded / total : 0));
  const lines = line.getAllResponseHeaders().trim().split(/\r\n/).filter(Boolean);
  const headers = lines.map((each) => each.split(/:\s*(.*)/s).slice(0, 2));
  return new Response(line.response.size ? line.response : null, { status: line.status, headers });
};

/** The file at an address that the gateway gave, or null when it cannot be had. */
export async function fileAt(url) {
  const line = await carriedOver(fileAddress(url), { method: "GET", headers: {} }, () => {}).catch(() => null);
  return line?.status === 200 ? line.response : null;
}

const carriedOver = (url, { method, headers, body }, onUpload) =>
  new Promise((resolve, reject) => {
    const line = new XMLHttpRequest();
    let timer = 0;
    const moved = () => {
      clearTimeout(timer);
      timer = setTimeout(() => line.abort(), SILENCE_MS);
    };
    line.open(method, url);
    line.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) line.setRequestHeader(name, value);
    line.onprogress = moved;
    line.upload.onprogress = (event) => {
      moved();
      onUpload(event);
    };
    line.onload = () => resolve(line);
    line.onerror = line.onabort = () => reject(new TypeError("The connection was lost."));
    line.onloadend = () => clearTimeout(timer);
    moved();
    line.send(body);
  });
