"use strict";
// The page is whole without this: it adds copying the command and the keys j (first failure) and t (top).
const copy = document.getElementById("copy");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById("command").textContent);
    copy.textContent = "Copied";
  });
}
function jump() {
  const failure = document.getElementById("failure");
  if (!failure) return;
  failure.scrollIntoView({ block: "center" });
  failure.focus({ preventScroll: true });
}
document.getElementById("jump")?.addEventListener("click", (e) => {
  e.preventDefault();
  jump();
});
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "j") jump();
  if (e.key === "t") window.scrollTo({ top: 0 });
});
