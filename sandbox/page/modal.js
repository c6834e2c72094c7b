// Modals and confirmations, as native dialogs.
import { drawBlocks, valuesOf } from "./blocks.js";
import { el } from "./dom.js";

const dialog = document.querySelector("#modal");
let shown = { id: null, errors: null };

// Shows the person's topmost view, or none. A view that is open stays as it is filled in.
export function showModal(view, context, submit, close) {
  const errors = JSON.stringify(view?.errors ?? {});
  if (!view) {
    shown = { id: null, errors: null };
    if (dialog.open) dialog.close();
    return;
  }
  if (view.id === shown.id && errors === shown.errors) return;
  const kept = view.id === shown.id ? valuesOf(dialog) : {};
  shown = { id: view.id, errors };
  const form = el("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    send.disabled = true;
    await submit(view.id, valuesOf(form));
    send.disabled = false;
  } },
  el("h2", { id: "modal-title" }, view.title),
  drawBlocks(view.blocks, { ...context, errors: view.errors }));
  const send = el("button", { type: "submit", class: "b-button primary" }, view.submit ?? "Done");
  const cancel = el("button", { type: "button", class: "b-button", onclick: () => close(view.id) }, view.close ?? "Close");
  form.append(el("div", { class: "modal-foot" }, cancel, view.submit ? send : null));
  for (const field of form.querySelectorAll("[name]")) {
    const before = Object.values(kept[field.name] ?? {})[0];
    if (typeof before === "string") field.value = before;
  }
  dialog.replaceChildren(form);
  dialog.dataset.viewId = view.id;
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.oncancel = (event) => {
    event.preventDefault();
    close(view.id);
  };
  if (!dialog.open) dialog.showModal();
  form.querySelector("[aria-invalid], input, select, textarea")?.focus();
}

export function showErrors(errors) {
  for (const [block, text] of Object.entries(errors)) {
    const hint = dialog.querySelector(`#f-${CSS.escape(block)}-hint`);
    hint?.replaceChildren(el("span", { class: "error", role: "alert" }, text));
  }
}

// Slack's “are you sure”: resolves to the answer.
export function confirmation(object, style) {
  const box = document.querySelector("#confirm");
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      box.close();
      resolve(yes);
    };
    box.replaceChildren(
      el("h2", { id: "confirm-title" }, object.title.text), el("p", {}, object.text.text),
      el("div", { class: "modal-foot" },
        el("button", { type: "button", class: "b-button", onclick: answer(false) }, object.deny?.text ?? "Cancel"),
        el("button", { type: "button", class: `b-button ${object.style ?? style ?? "primary"}`, data: { confirm: "yes" }, onclick: answer(true) }, object.confirm.text)));
    box.setAttribute("aria-labelledby", "confirm-title");
    box.oncancel = answer(false);
    box.showModal();
  });
}
