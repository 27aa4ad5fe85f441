// Sets the theme before anything is painted, and lets the button go through system, light and dark.
"use strict";
(() => {
  const THEMES = ["system", "light", "dark"];
  const KEPT = "nepse-theme";
  const root = document.documentElement;

  function kept() {
    try {
      const found = localStorage.getItem(KEPT);
      return THEMES.includes(found) ? found : "system";
    } catch {
      return "system"; // a browser that keeps nothing for us
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem(KEPT, theme);
    } catch {
      // it holds for this page then
    }
  }

  function show(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
    document.dispatchEvent(new CustomEvent("theme"));
  }

  show(kept());
  document.addEventListener("DOMContentLoaded", () => {
    show(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", () => {
      const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
      keep(next);
      show(next);
    });
  });
})();
