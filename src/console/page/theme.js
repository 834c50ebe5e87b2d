// Applies the colour scheme that was chosen here before, ahead of the first paint, and lets main.js change it.
// A classic script, because modules run too late for that; knows nothing of the rest of the page.

"use strict";

(() => {
  const KEY = "voxbridge.theme";
  const root = document.documentElement;

  /** @returns {string} "system", "light" or "dark" */
  function chosen() {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system"; // storage is forbidden; the choice then lasts as long as the page
    }
  }

  root.dataset.theme = chosen();
})();
