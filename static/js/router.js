// Which screen the address asks for. Addresses are behind the `#`: they need no server, and live under any path.

import { signal } from "../vendor/signals.js";

/** { path: ["video", "video_1"], search: URLSearchParams }; no path for the board. */
export const route = signal(read());

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decoded), search: new URLSearchParams(search) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a screen: `to("video", id)`, `to("gallery", { tag: "rain" })`. */
export function to(...parts) {
  const search = typeof parts.at(-1) === "object" ? new URLSearchParams(parts.pop()).toString() : "";
  return `#/${parts.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

/** Goes to an address that `to` made; `replace` leaves the one before out of the history. */
export function go(address, { replace = false } = {}) {
  if (!replace) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  arrive();
}

/** Reads the address again. */
export const arrive = () => (route.value = read());
