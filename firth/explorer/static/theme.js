// Light or dark as the reader chose it, before anything is painted; without a choice, as the system says.
const chosen = localStorage.getItem("firth-theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
