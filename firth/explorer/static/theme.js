// Light or dark as the reader chose it, before anything is painted; without a choice, as the system says.
const key = "firth-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const isChosen = () => ["light", "dark"].includes(localStorage.getItem(key));
const follow = () => { document.documentElement.dataset.theme = isChosen() ? localStorage.getItem(key) : system.matches ? "dark" : "light"; };
follow();
system.addEventListener("change", () => {
  follow();
  dispatchEvent(new Event("themechange"));
});
