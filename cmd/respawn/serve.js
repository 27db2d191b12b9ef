"use strict";
// The report is loaded again with each page that is made, where it was being read.
const frame = document.getElementById("report"), state = document.getElementById("state");
let at = 0;
frame.addEventListener("load", () => frame.contentWindow.scrollTo(0, at));
const again = () => {
  at = frame.contentWindow.scrollY;
  frame.contentWindow.location.reload();
};
const events = new EventSource("/events");
events.addEventListener("page", again);
events.addEventListener("over", () => {
  events.close();
  again();
  state.textContent = "The run is over; this is its last page.";
});
events.addEventListener("error", () => {
  if (events.readyState !== EventSource.CLOSED) state.textContent = "The command cannot be reached; the page is the last that it made.";
});
events.addEventListener("open", () => { state.textContent = "The run goes on."; });
