// What the page remembers: the form and the view in localStorage; a token in sessionStorage alone, and only if asked to.
// Storage may be forbidden, full or hold anything: then the page does without.

import { defaults } from "./settings.js";

/** @typedef {import("./settings.js").Form} Form */

const FORM = "voxbridge.form";
const TOKEN = "voxbridge.token";

/**
 * @param {() => T} use
 * @param {T} otherwise
 * @returns {T}
 * @template T
 */
function ifAllowed(use, otherwise) {
  try {
    return use();
  } catch {
    return otherwise;
  }
}

/**
 * A value kept under a name, as text.
 * @param {string} name
 * @returns {string | null}
 */
export function remembered(name) {
  return ifAllowed(() => localStorage.getItem(`voxbridge.${name}`), null);
}

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  ifAllowed(() => localStorage.setItem(`voxbridge.${name}`, value), undefined);
}

/**
 * The form as it was left; what is missing in it or of another type has its default.
 * @returns {Form}
 */
export function loadForm() {
  const form = defaults();
  /** @type {any} */
  const kept = ifAllowed(() => JSON.parse(localStorage.getItem(FORM) ?? "{}"), {});
  for (const name of /** @type {const} */ (["prompt", "greeting", "language", "functions"])) {
    if (typeof kept?.[name] === "string") form[name] = kept[name];
  }
  for (const [kind, voice] of Object.entries(kept?.voices ?? {})) {
    if (typeof voice === "string") form.voices[kind] = voice;
  }
  for (const [name, offered] of Object.entries(kept?.own ?? {})) {
    if (typeof offered === "boolean") form.own[name] = offered;
  }
  return form;
}

/** @param {Form} form */
export function saveForm(form) {
  ifAllowed(() => localStorage.setItem(FORM, JSON.stringify(form)), undefined);
}

/** @returns {string} the token of this tab; empty if it was not to be kept */
export function loadToken() {
  return ifAllowed(() => sessionStorage.getItem(TOKEN), null) ?? "";
}

/**
 * Keeps the token until the tab is closed, or forgets it.
 * @param {string} token empty: forget
 */
export function keepToken(token) {
  ifAllowed(
    () => (token ? sessionStorage.setItem(TOKEN, token) : sessionStorage.removeItem(TOKEN)),
    undefined,
  );
}
