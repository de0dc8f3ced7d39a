// What the page does beyond refreshing itself: it says so when it cannot, catches up when it is looked at again, counts what is
// chosen, copies lines, and goes on with work that takes more than one request.
"use strict";

const notice = document.getElementById("lost");
const picked = document.querySelector("#picked b");
const page = document.getElementById("pick-page");
const boxes = () => [...document.querySelectorAll(".pick input")];

function lost(yes) {
  if (notice) notice.hidden = !yes;
  document.documentElement.classList.toggle("stale", yes);
}

function count() {
  if (!page) return;
  const all = boxes();
  const chosen = all.filter((box) => box.checked).length;
  picked.textContent = chosen;
  page.checked = all.length > 0 && chosen === all.length;
  page.indeterminate = chosen > 0 && chosen < all.length;
}

document.addEventListener("htmx:error", () => lost(true));
document.addEventListener("htmx:after:request", (event) => lost(!event.detail.ctx.response.raw.ok));
document.addEventListener("htmx:after:swap", count);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.getElementById("live")) htmx.trigger("#live", "refresh");
});

for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
document.documentElement.classList.add("scripts");
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  const text = button && document.getElementById(button.dataset.copy);
  if (!text) return;
  // what cannot be copied for the reader, as without TLS, is at least marked for it
  getSelection().selectAllChildren(text);
  navigator.clipboard?.writeText(text.textContent);
});
document.addEventListener("change", (event) => {
  if (event.target === page) for (const box of boxes()) box.checked = page.checked;
  count();
});
// a browser that comes back to a page remembers what was chosen
count();

document.querySelector("form.go-on")?.requestSubmit();
