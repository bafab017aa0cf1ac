// Light or dark, as chosen here or as the device is. Kept in this browser.

import { signal } from "../vendor/signals.js";

export const THEMES = ["auto", "light", "dark"];
const CHOICE = "sora-gateway.theme";

export const theme = signal("auto");

function show(name) {
  theme.value = name;
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

/** Before anything is drawn. */
export function startTheme() {
  const kept = localStorage.getItem(CHOICE);
  show(THEMES.includes(kept) ? kept : "auto");
}

export function chooseTheme(name) {
  show(name);
  localStorage.setItem(CHOICE, name);
}
