// The slider of an import's versions. The one on which it comes to rest is loaded by the form that it stands in.

import { find, once } from "./rollcall.js";

const REST_MS = 250; // a key that is held down passes over many versions

let resting;

function slide(label) {
  const slider = find("input", label);
  const { version } = slider.form.elements;
  label.hidden = false;
  slider.addEventListener("input", () => {
    version.value = slider.value;
    say(slider);
    clearTimeout(resting);
    resting = setTimeout(() => {
      resting = undefined;
      slider.form.requestSubmit();
    }, REST_MS);
  });
}

function say(slider) {
  slider.setAttribute("aria-valuetext", `Version ${slider.value} of ${slider.max}`);
}

// The form stays while what it shows is replaced, so that the slider can be moved on meanwhile.
function follow() {
  once("[data-slide]", slide);
  const [slider, shown] = [find("[data-slide] input"), find("#version")];
  if (!slider || !shown || resting !== undefined) return;
  const { version, last } = shown.dataset;
  slider.form.elements.version.max = slider.max = last;
  slider.form.elements.version.value = slider.value = version;
  say(slider);
}

follow();
addEventListener("begun", follow);
