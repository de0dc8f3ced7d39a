// What the page does beyond refreshing itself: it says so when it cannot, and catches up when it is looked at again.
"use strict";

const notice = document.getElementById("lost");

function lost(yes) {
  if (notice) notice.hidden = !yes;
  document.documentElement.classList.toggle("stale", yes);
}

document.addEventListener("htmx:error", () => lost(true));
document.addEventListener("htmx:after:request", (event) => lost(!event.detail.ctx.response.raw.ok));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) htmx.trigger("#live", "refresh");
});
