// Makes the pages live. Everything works without it: it spares reloads, and shows what others do. Data is shown by
// textContent alone; pages of ours are parsed by the browser as documents, in which no script runs.

const SAY_EVERY = 5000;
const LOOK_EVERY = 500;
const TRY_AGAIN = 5000;
const LONGEST_ANSWER = 20000;
const find = (selector, within = document) => within.querySelector(selector);

// --- parts of a page, fetched and put in place ----------------------------------------------------------------------

async function fetched(address, options) {
  const signal = AbortSignal.timeout(LONGEST_ANSWER); // what waits behind an answer that never comes goes on
  const answer = await fetch(address, { ...options, signal, headers: { Accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    return new Promise(() => {}); // the session has ended, and this page is being left
  }
  if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(`no page: ${answer.status}`);
  return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

function put(page, ids) {
  const theirs = ids.map((id) => [document.getElementById(id), page.getElementById(id)]);
  if (!theirs.every(([old, fresh]) => old && fresh)) return false;
  theirs.forEach(([old, fresh]) => old.replaceWith(document.adoptNode(fresh)));
  return true;
}

function putWhole(page) {
  if (!put(page, ["main"])) throw new Error("no page of ours"); // but a proxy's, say
  document.title = page.title;
  begin();
  (find("[aria-invalid]") ?? find("#notice") ?? find("#main")).focus();
}

// Every form names the version that the page shows: after an edit of one's own the next one. False if others edited too.
function keepUp(page) {
  if (!find('input[name="version"]')) return true;
  const [watched, fresh] = [document, page].map((each) => find("[data-watch]", each)?.dataset);
  if (!watched || !fresh || Number(fresh.version) > Number(watched.version) + 1) return false;
  watched.version = fresh.version;
  document.querySelectorAll('input[name="version"]').forEach((input) => (input.value = fresh.version));
  return true;
}

function focusOn(selector, id) {
  const within = document.getElementById(id);
  const wanted = find("[autofocus]", within) ?? (selector && find(selector, within)) ?? within;
  wanted.focus({ preventScroll: true });
  if (wanted.matches("input")) wanted.select();
}

let busy = 0;
let turn = Promise.resolve();

// One after the other: what was asked for last is what is seen in the end, and an edit goes with the version that the
// one before it led to, for whoever clicks faster than the server answers is nobody else. Behind an edit that was
// refused the others are dropped: the page shows another state now.
function swapping(address, options, ids, focus) {
  const main = find("#main");
  const mine = turn.then(() => {
    if (!options.body) return swap(address, options, ids, focus);
    if (main !== find("#main")) return;
    const shown = find("[data-watch]")?.dataset.version;
    if (shown && options.body.has("version")) options.body.set("version", shown);
    return swap(address, options, ids, focus);
  });
  turn = mine.catch(() => {});
  return mine;
}

// What was entered stays where it is; reloading would lose it.
const unsent = () => find("#unsent");

async function swap(address, options, ids, focus) {
  busy += 1;
  unsent().hidden = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    const { answer, page } = await fetched(address, options);
    if (!answer.ok || (options.method === "post" && !keepUp(page)) || !put(page, ids)) return putWhole(page);
    document.title = page.title;
    begin();
    if (focus !== undefined) focusOn(focus, ids[0]);
  } finally {
    busy -= 1;
    document.body.removeAttribute("aria-busy");
  }
}

// In a group's row, focus stays where it was: the link that was followed is there again, as itself or its opposite.
const AGAIN = { edit: null, down: ".up", up: ".down" };

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-row], a[data-swap]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const row = link.matches("[data-row]") && link.closest("tbody[id]");
  const again = Object.keys(AGAIN).find((name) => link.classList.contains(name));
  const swapped = row
    ? swapping(link.href, {}, [row.id], again ? AGAIN[again] : ".edit, .up")
    : swapping(link.href, {}, [link.dataset.swap], null).then(() => goneTo(link.href));
  swapped.catch(() => location.assign(link.href));
});

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.live) return pressedOnce(form);
  event.preventDefault();
  const fields = new FormData(form, event.submitter);
  const ids = form.dataset.live.split(" ");
  if (form.method === "get") {
    const address = `${form.action}?${new URLSearchParams([...fields].filter(([, value]) => value))}`;
    swapping(address, {}, ids).then(() => goneTo(address), () => location.assign(address));
    return;
  }
  const edit = { method: "post", body: new URLSearchParams(fields) };
  swapping(form.action, edit, ids, next(event.submitter, form)).catch(() => {
    unsent().hidden = false;
  });
});

addEventListener("change", ({ target }) => target.matches("form[data-live][method=get] [type=checkbox]") && target.form.requestSubmit());

// Where somebody goes on: at the next user to remove, or the one before, or where the form says.
function next(button, form) {
  const others = [...form.querySelectorAll("button[name=email]")];
  const beside = others[others.indexOf(button) + 1] ?? others[others.indexOf(button) - 1];
  return beside && others.includes(button) ? `button[value="${CSS.escape(beside.value)}"]` : form.dataset.focus;
}

function goneTo(address) {
  history.replaceState(null, "", address);
  document.querySelector(".table thead")?.scrollIntoView({ block: "nearest" });
}

function pressedOnce(form) {
  if (form.method !== "post") return;
  const buttons = [...form.querySelectorAll("button:not([type=button])")];
  const disable = (disabled) => buttons.forEach((button) => (button.disabled = disabled));
  setTimeout(disable, 0, true);
  setTimeout(disable, LONGEST_ANSWER, false); // whoever stopped the page from loading can press them again
}

addEventListener("pageshow", (event) => event.persisted && location.reload());

// --- an upload, with its progress -----------------------------------------------------------------------------------

function upload(form) {
  const input = find("input[type=file]", form);
  const [told, bar, sent] = ["[data-uploading]", "progress", "[data-sent]"].map((selector) => find(selector, form));
  const drop = find(".drop", form);
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => files(event) && (event.preventDefault(), drop.classList.add("over")));
  addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    renew();
  });
  const renew = () => (form.action = form.action.replace(/key=[^&]*/, `key=${crypto.randomUUID()}`));
  input.addEventListener("change", renew);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const button = find("button", form);
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    button.disabled = true;
    told.hidden = false;
    sent.textContent = `Uploading ${input.files[0].name}`;
    request.upload.onprogress = ({ loaded, total }) => (bar.value = (100 * loaded) / total);
    request.upload.onload = () => { bar.removeAttribute("value"); sent.textContent = `Reading ${input.files[0].name}`; };
    request.onload = () => {
      if (request.responseURL !== form.action) return location.assign(request.responseURL);
      try {
        putWhole(new DOMParser().parseFromString(request.responseText, "text/html"));
      } catch {
        request.onerror();
      }
    };
    request.onerror = () => {
      button.disabled = false;
      sent.textContent = "The upload broke off: no answer came. Try again; nothing is recorded twice.";
    };
    request.open("post", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  });
}

// --- what others do, and how far it is ------------------------------------------------------------------------------

let source;
let watching; // the address that is followed, or was until it had nothing more to tell

// Browsers open six connections to a server: a tab that nobody looks at gives its own back.
function watch() {
  source?.close();
  source = undefined;
  const watched = find("[data-watch]");
  watching = watched?.dataset.watch;
  if (!watched || document.hidden || !["reviewing", "committing"].includes(watched.dataset.state)) return;
  const following = (source = new EventSource(watching));
  following.addEventListener("progress", (event) => heard(Number(event.lastEventId), JSON.parse(event.data).state));
  // By itself it asks again after a connection that broke, but not after an answer such as 503.
  following.addEventListener("error", () => {
    if (following.readyState === EventSource.CLOSED) setTimeout(() => following === source && watch(), TRY_AGAIN);
  });
}

let looking;

function heard(version, state) {
  const watched = find("[data-watch]");
  if (!watched || (version <= Number(watched.dataset.version) && state === watched.dataset.state)) return;
  if (watched.dataset.follow) {
    looking ??= setTimeout(look, LOOK_EVERY, watched.dataset.follow);
  } else if (busy) {
    setTimeout(heard, LOOK_EVERY, version, state);
  } else {
    const changed = find("#changed");
    if (changed) changed.hidden = false;
  }
}

async function look(id) {
  try {
    const { answer, page } = await fetched(location.href);
    if (!answer.ok || !put(page, [id])) return location.reload();
    if (find("[data-watch]")?.dataset.watch !== watching) watch(); // it has ended, and another one may be shown
    say();
  } finally {
    looking = undefined;
  }
}

let said = 0;

// Screen readers are told now and then: whoever is told of every batch hears nothing else.
function say() {
  const words = find("[data-say]")?.textContent;
  if (!words || Date.now() - said < SAY_EVERY) return;
  said = Date.now();
  find("dialog[open] [data-said]", document).textContent = words; // what is outside of a modal dialog is silent
}

// --- the dialog -----------------------------------------------------------------------------------------------------

// Without this module it stands open in the page; closed, it stands there again.
function modal(dialog) {
  const close = find("[data-close]", dialog);
  dialog.open = false; // close() would tell of it, later
  dialog.showModal();
  close.hidden = false;
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { close.hidden = true; dialog.show(); find("#main").focus(); });
}

// --------------------------------------------------------------------------------------------------------------------

const begun = new WeakSet();

function once(selector, what) {
  const element = find(selector);
  if (!element || begun.has(element)) return;
  begun.add(element);
  what(element);
}

// A form that was refused leaves its own address behind, at which there is no page.
function standAt(main) {
  if (location.pathname !== main.dataset.at) history.replaceState(null, "", main.dataset.at);
}

function goOn({ dataset: { goOn: where } }) {
  const there = new URL(where, location);
  const same = there.pathname + there.search === location.pathname + location.search;
  setTimeout(() => (same ? location.reload() : location.assign(there)), 1000);
}

function begin() {
  once("#main[data-at]", standAt);
  once("[data-go-on]", goOn);
  once("form[data-upload]", upload);
  once("dialog[data-modal]", modal);
}

begin();
watch();
document.addEventListener("visibilitychange", watch);
