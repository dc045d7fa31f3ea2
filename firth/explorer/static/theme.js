// Light or dark as the reader chose it, before anything is painted; without a choice, as the system says.
const key = "firth-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const kept = () => {
  try { return localStorage.getItem(key); } catch { return null; } // where the browser keeps nothing of pages
};
const follow = () => {
  const choice = kept();
  document.documentElement.dataset.theme = ["light", "dark"].includes(choice) ? choice : system.matches ? "dark" : "light";
};
follow();
system.addEventListener("change", () => {
  follow();
  dispatchEvent(new Event("themechange"));
});
