// Runs before the first paint: a theme that the person chose goes before the system's.
(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.bsTheme = chosen;
})();
