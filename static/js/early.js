// The theme that was chosen (theme.js), before anything is painted: modules come too late, and would flash. A script of
// its own kind for that reason, not a module.

{
  const chosen = localStorage.getItem("sora-gateway.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
