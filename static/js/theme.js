// Runs before the first paint. A theme that the user chose replaces the system theme.
(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.bsTheme = chosen;
})();
