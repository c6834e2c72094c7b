// Modals and confirmations, as native dialogs. Whatever closes one, the focus goes back to where it was.
import { drawBlocks, valuesOf } from "./blocks.js";
import { $, el, focusedSpot, focusSpot } from "./dom.js";

const dialog = $("modal");
let shown = { id: null, errors: null };
let opener = null;

// Shows the person's topmost view, or none. A view that is open stays as it is filled in.
export function showModal(view, context, submit, close) {
  const errors = JSON.stringify(view?.errors ?? {});
  if (!view) {
    shown = { id: null, errors: null };
    if (dialog.open) {
      dialog.close();
      focusSpot(opener);
    }
    return;
  }
  if (view.id === shown.id && errors === shown.errors) return;
  const kept = view.id === shown.id ? new Map(fieldsOf().map((f) => [f.name, f.value])) : new Map();
  shown = { id: view.id, errors };
  let sending = false;
  const form = el("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    // Not by disabling the button: that would take the focus from it.
    if (sending) return;
    sending = true;
    await submit(view.id, valuesOf(form));
    sending = false;
  } },
  el("h2", { id: "modal-title" }, view.title),
  drawBlocks(view.blocks, { ...context, errors: view.errors }));
  const send = el("button", { type: "submit", class: "b-button primary" }, view.submit ?? "Done");
  const cancel = el("button", { type: "button", class: "b-button", onclick: () => close(view.id) }, view.close ?? "Close");
  form.append(el("div", { class: "modal-foot" }, cancel, view.submit ? send : null));
  if (!dialog.open) opener = focusedSpot();
  dialog.replaceChildren(form);
  for (const field of fieldsOf()) if (kept.has(field.name)) field.value = kept.get(field.name);
  dialog.dataset.viewId = view.id;
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.oncancel = (event) => {
    event.preventDefault();
    close(view.id);
  };
  dialog.onclose = () => {
    // A browser may close it by itself, as at a second Escape: then Slack has to be told.
    if (dialog.open || shown.id !== view.id) return;
    close(view.id);
    focusSpot(opener);
  };
  if (!dialog.open) dialog.showModal();
  (form.querySelector("[aria-invalid]") ?? fieldsOf()[0] ?? cancel).focus();
}

function fieldsOf() {
  return [...dialog.querySelectorAll("[name][data-action-id]")];
}

// Says at each field what is wrong with it, and goes to the first.
export function showErrors(errors) {
  for (const field of fieldsOf()) {
    const hint = dialog.querySelector(`#${CSS.escape(field.id)}-hint`);
    hint.querySelector(".error")?.remove();
    field.removeAttribute("aria-invalid");
    if (!errors[field.name]) continue;
    hint.prepend(el("span", { class: "error" }, errors[field.name]));
    field.setAttribute("aria-invalid", "true");
  }
  dialog.querySelector("[aria-invalid]")?.focus();
}

let asking = null;

// Slack's “are you sure”: resolves to the answer. `still` tells whether there is still something to be sure of.
export function confirmation(object, style, still) {
  const box = $("confirm");
  const before = focusedSpot();
  return new Promise((resolve) => {
    const answer = (yes) => {
      asking = null;
      box.close();
      focusSpot(before);
      resolve(yes);
    };
    asking = { still, answer };
    box.replaceChildren(
      el("h2", { id: "confirm-title" }, object.title.text), el("p", { id: "confirm-text" }, object.text.text),
      el("div", { class: "modal-foot" },
        el("button", { type: "button", class: "b-button", onclick: () => answer(false) }, object.deny?.text ?? "Cancel"),
        el("button", { type: "button", class: `b-button ${object.style ?? style ?? "primary"}`, data: { confirm: "yes" }, onclick: () => answer(true) }, object.confirm.text)));
    box.setAttribute("aria-labelledby", "confirm-title");
    box.setAttribute("aria-describedby", "confirm-text");
    box.onclose = () => { if (asking?.answer === answer) answer(false); };
    box.showModal();
  });
}

// Takes the question away when its button is gone, and tells whether it did.
export function dropStaleConfirmation() {
  if (!asking || asking.still()) return false;
  asking.answer(false);
  return true;
}
