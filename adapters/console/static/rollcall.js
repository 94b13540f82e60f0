// Makes the pages live. Everything works without it: it saves reloads and shows other people's changes. Data is shown
// with textContent only; our pages are parsed as documents, in which no script runs. What happens elsewhere is in live.js.

export const RESPONSE_TIMEOUT_MS = 20000;
const TELL_EVERY_MS = 5000;
export const find = (selector, within = document) => within.querySelector(selector);

// --- parts of a page, fetched and replaced ---

export async function fetched(address, options) {
  const signal = AbortSignal.timeout(RESPONSE_TIMEOUT_MS); // requests that wait behind this one must go on
  const answer = await fetch(address, { ...options, signal, headers: { Accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    return new Promise(() => {}); // the session has ended; this page is being left
  }
  if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(`not a page: ${answer.status}`);
  return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

export function put(page, ids) {
  const theirs = ids.map((id) => [document.getElementById(id), page.getElementById(id)]);
  if (!theirs.every(([old, fresh]) => old && fresh)) return false;
  theirs.forEach(([old, fresh]) => old.replaceWith(document.adoptNode(fresh)));
  return true;
}

// What depends on all edits, such as the plan: an edit anywhere on the page may change it.
function putAlong(page) {
  document.querySelectorAll("[id][data-along]").forEach((old) => put(page, [old.id]));
}

export function putWhole(page) {
  if (!put(page, ["main"])) throw new Error("not our page"); // a proxy's error page, for example
  document.title = page.title;
  begin();
  (find("[aria-invalid]") ?? find("[data-notice]") ?? find("#main")).focus();
}

// Every form sends the version that the page shows. After our own edit that is the next version; return false if
// someone else edited too.
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
  const named = selector ? find(selector, within) ?? find(`[data-along] ${selector}`) : null;
  const wanted = find("[autofocus]", within) ?? named ?? within;
  wanted.focus({ preventScroll: true });
  if (wanted.matches("input")) wanted.select();
}

export let busy = 0;
let turn = Promise.resolve();

// Requests run one after another, so the last one decides what the page shows, and each edit sends the version that
// the edit before it produced: clicking faster than the server answers is no conflict. After a refused edit the
// waiting ones are dropped, because the page now shows something else.
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

// Shown instead of reloading, which would lose what was entered.
const unsent = () => find("#unsent");

async function swap(address, options, ids, focus) {
  busy += 1;
  unsent().hidden = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    const { answer, page } = await fetched(address, options);
    if (!answer.ok || (options.method === "post" && !keepUp(page)) || !put(page, ids)) return putWhole(page);
    if (options.method === "post") {
      putAlong(page);
      find("#told").textContent = find("[data-made]")?.textContent ?? "";
    }
    document.title = page.title;
    begin();
    if (focus !== undefined) focusOn(focus, ids[0]);
  } finally {
    busy -= 1;
    document.body.removeAttribute("aria-busy");
  }
}

// In a group's row, focus stays on the link that was followed, or on its opposite.
const AGAIN = { edit: null, down: ".up", up: ".down" };

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-row], a[data-swap]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const row = link.matches("[data-row]") && link.closest("tbody[id]");
  const again = Object.keys(AGAIN).find((name) => link.classList.contains(name));
  const ids = link.dataset.swap?.split(" ");
  const swapped = row
    ? swapping(link.href, {}, [row.id], again ? AGAIN[again] : ".edit, .up")
    : swapping(link.href, {}, ids, link.dataset.focus ?? null).then(() => {
        goneTo(link.href, ids[0], link.closest(".pages"));
        if (link.dataset.focus) tell(ids[0]);
      });
  swapped.catch(() => location.assign(link.href));
});

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.live || event.submitter?.hasAttribute("formaction")) return pressedOnce(form);
  event.preventDefault();
  const fields = new FormData(form, event.submitter);
  const ids = form.dataset.live.split(" ");
  if (form.method === "get") {
    const address = `${form.action}?${new URLSearchParams([...fields].filter(([, value]) => value))}`;
    find("#told").textContent = "";
    swapping(address, {}, ids).then(() => (goneTo(address, ids[0], true), tell(ids[0])), () => location.assign(address));
    return;
  }
  const edit = { method: "post", body: new URLSearchParams(fields) };
  swapping(form.action, edit, ids, next(event.submitter, form)).catch(() => {
    unsent().hidden = false;
  });
});

addEventListener("change", ({ target }) => target.matches("form[data-live][method=get] :is([type=checkbox], select)") && target.form.requestSubmit());

// The browser says so if the last day is before the first one.
addEventListener("change", ({ target }) => {
  if (target.matches("form[method=get] [name=from]")) target.form.elements.to.min = target.value;
});

// Selected rows: the checkbox in the head selects all of the page, and the bar says how many are selected.
addEventListener("change", ({ target }) => {
  const form = target.closest("form[data-picking]");
  if (!form) return;
  const rows = [...form.querySelectorAll("input[name=pick]")];
  if (target.matches("[data-pick-all]")) rows.forEach((row) => (row.checked = target.checked));
  const picked = rows.filter((row) => row.checked).length;
  const all = find("[data-pick-all]", form);
  all.checked = picked === rows.length;
  all.indeterminate = picked > 0 && !all.checked;
  find("[data-picked]", form).textContent = `${picked} selected`;
});

// Where focus goes next: to the next user to remove, to the one before, or where the form says.
function next(button, form) {
  const others = [...form.elements].filter((each) => each.matches("button[name=email]"));
  const beside = others[others.indexOf(button) + 1] ?? others[others.indexOf(button) - 1];
  return beside && others.includes(button) ? `button[value="${CSS.escape(beside.value)}"]` : form.dataset.focus;
}

// Escape gives up what is being edited: a new name, or a corrected address.
addEventListener("keydown", ({ key, isComposing, target }) => {
  const form = key === "Escape" && !isComposing && target.closest?.("form.rename, form.correct");
  if (form) find("a.button", form)?.click();
});

// Another page of a list, or other filters, are a step back for the browser's Back button.
function goneTo(address, id, step) {
  history[step && shownAt() !== at(address) ? "pushState" : "replaceState"](null, "", address);
  shown = shownAt();
  document.getElementById(id).querySelector(".table thead")?.scrollIntoView({ block: "nearest" });
}

const at = (address) => { const { pathname, search } = new URL(address, location); return pathname + search; };
const shownAt = () => at(location.href);
let shown = shownAt();

addEventListener("popstate", () => {
  if (shownAt() === shown) return; // somewhere else on the same page
  const address = location.href;
  swapping(address, {}, ["main"]).then(() => (shown = at(address)), () => location.reload());
});

// For screen readers: the focus stays in the search field.
function tell(id) {
  find("#told").textContent = find("[data-told], .empty h2", document.getElementById(id))?.textContent ?? "";
}

function pressedOnce(form) {
  if (form.method !== "post") return;
  const buttons = [...form.querySelectorAll("button:not([type=button])")];
  const disable = (disabled) => buttons.forEach((button) => (button.disabled = disabled));
  setTimeout(disable, 0, true);
  setTimeout(disable, RESPONSE_TIMEOUT_MS, false); // if loading was stopped, the buttons work again
}

addEventListener("pageshow", (event) => event.persisted && location.reload());

// --- an upload, with its progress ---

function upload(form) {
  const input = find("input[type=file]", form);
  const [status, bar, label] = ["[data-uploading]", "progress", "[data-sent]"].map((selector) => find(selector, form));
  const [drop, button] = [".drop", "button"].map((selector) => find(selector, form));
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => files(event) && (event.preventDefault(), drop.classList.add("over")));
  addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    const dropped = event.dataTransfer.files;
    if (!dropped.length || button.disabled) return; // while one is uploaded
    if (dropped.length > 1) return refuse("Drop one file at a time.");
    input.files = dropped;
    renew();
  });
  const refuse = (message) => {
    const told = find(".wrong", form) ?? drop.insertAdjacentElement("afterend", document.createElement("p"));
    [told.className, told.role, told.textContent] = ["wrong", "alert", message];
  };
  const renew = () => {
    find(".wrong", form)?.remove();
    form.action = form.action.replace(/key=[^&]*/, `key=${crypto.randomUUID()}`);
  };
  input.addEventListener("change", renew);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const request = new XMLHttpRequest(); // fetch does not report upload progress
    button.disabled = true;
    status.hidden = false;
    label.textContent = `Uploading ${input.files[0].name}`;
    request.upload.onprogress = ({ loaded, total }) => (bar.value = (100 * loaded) / total);
    request.upload.onload = () => { bar.removeAttribute("value"); label.textContent = `Reading ${input.files[0].name}`; };
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
      label.textContent = "The upload failed because the server didn’t respond. Try again. Your file won’t be imported twice.";
    };
    request.open("post", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  });
}

// --- many changes, portion by portion ---

// They go on in the tab where they were confirmed, until they are done or Stop is pressed.
function portions(form) {
  const path = new URL(form.action).pathname;
  form.addEventListener("submit", () => sessionStorage.setItem("confirmed", path));
  if (!form.matches("[data-next]") || sessionStorage.getItem("confirmed") !== path) return;
  const working = (on) => ["waiting", "working"].forEach((name, at) =>
    form.querySelectorAll(`[data-${name}]`).forEach((each) => (each.hidden = !at === on)));
  let stopping = false;
  find("[data-stop]", form).addEventListener("click", (event) => {
    event.preventDefault();
    stopping = true; // after the portion that is on its way, so that the page can say how many
  });
  working(true);
  sendPortions(form, path, () => stopping).catch(() => working((unsent().hidden = false)));
}

async function sendPortions(form, path, stopping) {
  let told = 0;
  while (form.isConnected) {
    const body = new URLSearchParams(new FormData(form));
    const { answer, page } = await fetched(form.action, { method: "post", body });
    if (!form.isConnected) return; // this page was left
    if (new URL(answer.url).pathname !== path) return location.assign(answer.url);
    if (answer.redirected && stopping()) return location.assign(`${answer.url}&stopped=1`);
    if (answer.redirected) goneTo(answer.url, "main", false);
    if (!find("form[data-next]", page) || !put(page, ["going"])) return putWhole(page);
    document.title = page.title;
    if (Date.now() - told < TELL_EVERY_MS) continue; // each portion would drown out everything else
    told = Date.now();
    find("#told").textContent = find("#going .done").textContent;
  }
}

// --- the dialog ---

// Without this script, and once it is closed, the dialog is part of the page.
function modal(dialog) {
  const close = find("[data-close]", dialog);
  dialog.open = false; // close() would fire its event later
  dialog.showModal();
  close.hidden = false;
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { close.hidden = true; dialog.show(); find("#main").focus(); });
}

// ---

const begun = new WeakSet();

export function once(selector, action) {
  const element = find(selector);
  if (!element || begun.has(element)) return;
  begun.add(element);
  action(element);
}

// After a refused form the address is that of the form, where there is no page; after one that was done it has what a
// notice says, which a reload shouldn't say again.
function restoreAddress(main) {
  history.replaceState(null, "", main.dataset.at);
  shown = shownAt();
}

// On a narrow screen the tabs scroll sideways.
function showTab(tab) {
  tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
}

function goOn({ dataset: { goOn: where } }) {
  const there = new URL(where, location);
  const same = there.pathname + there.search === location.pathname + location.search;
  setTimeout(() => (same ? location.reload() : location.assign(there)), 1000);
}

function begin() {
  once("#main[data-at]", restoreAddress);
  once(".tabs [aria-current]", showTab);
  once(".subtabs [aria-current]", showTab);
  once("[data-go-on]", goOn);
  once("[data-reopen]", (dialog) => dialog.showPopover());
  once("form[data-upload]", upload);
  once("form[data-portions]", portions);
  if (!find("form[data-portions], [data-go-on]")) sessionStorage.removeItem("confirmed");
  once("dialog[data-modal]", modal);
  dispatchEvent(new Event("begun"));
}

begin();
