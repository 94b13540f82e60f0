// Keeps pages current while imports run: the import's own page by its event stream, every page's header and the list of
// imports by asking every few seconds. Only the texts that differ are written, so focus, selection and scroll stay.

import { RESPONSE_TIMEOUT_MS, busy, fetched, find, once, put, putWhole } from "./rollcall.js";

const ANNOUNCE_EVERY_MS = 5000;
const REFRESH_AFTER_MS = 500;
const RECONNECT_AFTER_MS = 5000;
const ASK_EVERY_MS = 4000;
const ASK_HIDDEN_EVERY_MS = 15000;
const END_SHOWN_MS = 10000;
const RUNNING = ["committing", "undoing"];

// --- the page of an import: other people's changes, and progress ---

let source;
let watching; // the address of the event stream, also after it ended
let later;

// Browsers open at most six connections to a server, so a hidden tab closes its own. Its title is still kept current.
function watch() {
  source?.close();
  source = undefined;
  clearTimeout(later);
  const watched = find("[data-watch]");
  watching = watched?.dataset.watch;
  if (!watched || !["reviewing", ...RUNNING].includes(watched.dataset.state)) return;
  if (document.hidden) {
    const { follow } = watched.dataset;
    if (follow) later = setTimeout(() => refresh(follow).finally(watch), ASK_HIDDEN_EVERY_MS);
    return;
  }
  const following = (source = new EventSource(watching));
  following.addEventListener("progress", (event) => {
    const { state, last_error: error } = JSON.parse(event.data);
    heard(Number(event.lastEventId), state, error?.failures ?? 0);
  });
  // EventSource reconnects by itself after a broken connection, but not after a response such as 503.
  following.addEventListener("error", () => {
    if (following.readyState === EventSource.CLOSED) setTimeout(() => following === source && watch(), RECONNECT_AFTER_MS);
  });
}

let refreshing;

function heard(version, state, failures) {
  const watched = find("[data-watch]");
  if (!watched) return;
  const shown = watched.dataset;
  if (version <= Number(shown.version) && state === shown.state && failures === Number(shown.failures ?? 0)) return;
  if (watched.dataset.follow) {
    refreshing ??= setTimeout(refresh, REFRESH_AFTER_MS, watched.dataset.follow);
  } else if (busy) {
    setTimeout(heard, REFRESH_AFTER_MS, version, state, failures);
  } else {
    const changed = find("#changed");
    if (changed) changed.hidden = false;
  }
}

async function refresh(id) {
  try {
    const { answer, page } = await fetched(location.href);
    if (!answer.ok) return location.reload();
    if (put(page, [id])) {
      document.title = page.title;
      return announce();
    }
    putWhole(page); // it has ended: the focus goes to the result
    notify(location.pathname.split("/").pop(), page.title, find("[data-notice] strong")?.textContent ?? "", location.href);
  } catch (error) {
    if (!(error instanceof TypeError || error.name === "TimeoutError")) location.reload();
  } finally {
    refreshing = undefined;
  }
}

let announced = 0;

// Announced to screen readers only now and then; every batch would drown out everything else.
function announce() {
  const text = find("[data-announce]")?.textContent;
  if (!text || Date.now() - announced < ANNOUNCE_EVERY_MS) return;
  announced = Date.now();
  find("dialog[open] [data-announced]").textContent = text; // outside a modal dialog nothing is announced
}

// --- every page of a subscription: what runs there, and how it ended ---

let asking;
const told = new Set(); // the imports whose end was told
const over = new Set(); // and those for which it has been in sight for long enough

// Asks only while something runs, and in a hidden tab only if somebody wants to be notified.
function follow() {
  clearTimeout(asking);
  if (!find("#running")?.dataset.running || (document.hidden && !wantsNotes())) return;
  asking = setTimeout(ask, document.hidden ? ASK_HIDDEN_EVERY_MS : ASK_EVERY_MS);
}

async function ask() {
  clearTimeout(asking);
  const { running, imports } = find("#running").dataset;
  if (!running) return;
  const query = new URLSearchParams({ imports: imports.split(",").filter((id) => !over.has(id)) });
  if (find("table[data-rows]")) query.set("rows", "true");
  try {
    const signal = AbortSignal.timeout(RESPONSE_TIMEOUT_MS);
    const answer = await fetch(`${running}?${query}`, { signal, headers: { Accept: "text/html" } });
    if (answer.redirected) return; // the session has ended, but there may be a half-filled form here
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // the server can't be reached; it will be asked again
  }
  follow();
}

function show(page) {
  page.querySelectorAll("tr[id]").forEach((row) => alter(document.getElementById(row.id), row));
  alter(find("#running"), page.getElementById("running"));
  document.querySelectorAll("#running data").forEach(({ value: id, dataset: { title, text, href } }) => {
    if (told.has(id)) return;
    told.add(id);
    find("#told").textContent = text;
    notify(id, title, text, href);
    setTimeout(putAway, END_SHOWN_MS, id);
  });
}

function putAway(id) {
  if (document.hidden || find("#running:is(:hover, :focus-within)")) return setTimeout(putAway, END_SHOWN_MS, id);
  over.add(id);
  ask();
}

// Makes an element what a fresh one is, and keeps the nodes that are alike.
function alter(old, fresh) {
  if (!old || !fresh) return;
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(document.importNode(fresh, true));
  if (old.nodeType === Node.TEXT_NODE) return old.data === fresh.data || (old.data = fresh.data);
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  [...old.attributes].forEach(({ name }) => fresh.hasAttribute(name) || old.removeAttribute(name));
  [...fresh.attributes].forEach(({ name, value }) => old.getAttribute(name) === value || old.setAttribute(name, value));
  const [ours, theirs] = [[...old.childNodes], [...fresh.childNodes]];
  ours.slice(theirs.length).forEach((child) => child.remove());
  theirs.forEach((child, at) => (ours[at] ? alter(ours[at], child) : old.append(document.importNode(child, true))));
}

// --- notifications, for those who want them ---

const WANTED = "rollcall-notify";

function wantsNotes() {
  return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(WANTED) === "yes";
}

// Of several tabs with the same news the browser shows one.
function notify(id, title, body, where) {
  if (!document.hidden || !wantsNotes()) return;
  try {
    const note = new Notification(title, { body, tag: id, icon: find("link[rel=icon]").href });
    note.addEventListener("click", () => (focus(), note.close(), location.assign(where)));
  } catch {
    // Chrome on Android has them for service workers only
  }
}

function offerNotes(box) {
  if (!("Notification" in window)) return;
  const button = find("button", box);
  const shown = () => button.setAttribute("aria-pressed", wantsNotes());
  box.hidden = false;
  shown();
  button.addEventListener("click", async () => {
    const wants = !wantsNotes() && (await Notification.requestPermission()) === "granted";
    localStorage.setItem(WANTED, wants ? "yes" : "no");
    const blocked = Notification.permission === "denied";
    find("[aria-live]", box).textContent = blocked ? "Your browser blocks notifications from this site. Allow them in its settings." : "";
    shown();
  });
}

// ---

function begin() {
  once("[data-notify]", offerNotes);
  if (find("[data-watch]")?.dataset.watch !== watching) watch();
}

begin();
follow();
addEventListener("begun", begin);
document.addEventListener("visibilitychange", () => {
  watch();
  document.hidden ? follow() : ask();
});
