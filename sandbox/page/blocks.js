// Messages and Block Kit as Slack draws them. What is not known here is shown as it is.
import { el } from "./dom.js";
import { emoji, mrkdwn, plain, safeLink, textObject } from "./mrkdwn.js";

// One message. `context.open` is missing in a thread, where nothing leads further.
export function drawMessage(m, context) {
  const person = author(m, context.people);
  const at = new Date(Number(m.ts) * 1000);
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return el("article", {
    class: `message ${m.ephemeral ? "ephemeral" : ""}`, tabindex: "-1", data: { ts: m.ts, threadTs: m.thread_ts ?? "" },
    "aria-label": `${sender(m, context.people)}, ${time}`,
  },
  el("div", { class: `avatar ${person.is_bot ? "bot" : ""}`, "aria-hidden": "true" }, person.real_name.slice(0, 1)),
  el("div", { class: "body" },
    m.ephemeral ? el("div", { class: "only" }, "Only visible to you") : null,
    el("div", { class: "who" }, el("strong", {}, person.real_name),
      person.is_bot ? el("span", { class: "badge" }, "APP") : null,
      el("time", { datetime: at.toISOString(), title: at.toISOString() }, time),
      m.edited ? el("span", { class: "edited" }, "(edited)") : null),
    m.blocks.length ? drawBlocks(m.blocks, context) : el("p", {}, mrkdwn(m.text, context)),
    m.files.length ? el("ul", { class: "files" }, m.files.map(drawFile)) : null,
    context.open && m.reply_count > 0 ? replies(m, context) : null));
}

// A file by its name, which leads to what it says.
function drawFile(file) {
  return el("li", {}, emoji(":page_facing_up: "), safeLink(file.permalink, file.name), ` · ${file.title} · ${file.size} bytes`);
}

function author(m, people) {
  return people.find((p) => p.id === m.user) ?? { real_name: m.user, is_bot: false };
}

// Who says it, and whether to everybody.
export function sender(m, people) {
  return `${author(m, people).real_name}${m.ephemeral ? ", only visible to you" : ""}`;
}

// Whether a click on this button would still find it.
export function hasButton(message, block_id, action_id) {
  const blocks = (message?.blocks ?? []).filter((b) => b.block_id === block_id);
  return blocks.flatMap((b) => [...(b.elements ?? []), b.accessory]).some((e) => e?.action_id === action_id);
}

function replies(m, context) {
  const count = `${m.reply_count} ${m.reply_count === 1 ? "reply" : "replies"}`;
  const header = m.blocks.find((b) => b.type === "header")?.text.text;
  return el("button", {
    type: "button", class: "replies", data: { actionId: "page.thread" }, onclick: context.open,
    "aria-label": `${count} to ${header ? emoji(header) : plain(m.text, context, 80)}`,
  }, count);
}

export function drawBlocks(blocks, context) {
  return blocks.map((block) => {
    const draw = BLOCKS[block.type] ?? unknown;
    const node = draw(block, context);
    node.classList.add("block");
    node.dataset.blockId = block.block_id ?? "";
    return node;
  });
}

const BLOCKS = {
  header: (b) => el("h3", { class: "b-header" }, emoji(b.text.text)),
  divider: () => el("hr"),
  section: (b, context) => el("div", { class: "b-section" },
    el("div", { class: "b-main" },
      b.text ? el("div", {}, textObject(b.text, context)) : null,
      b.fields ? fields(b.fields, context) : null),
    b.accessory ? element(b.accessory, b, context) : null),
  context: (b, context) => el("div", { class: "b-context" },
    b.elements.map((e) => e.type === "image" ? image(e) : el("span", {}, textObject(e, context)))),
  actions: (b, context) => el("div", { class: "b-actions" }, b.elements.map((e) => element(e, b, context))),
  image: (b) => el("figure", {}, image(b)),
  rich_text: (b, context) => el("div", {}, b.elements.map((e) => rich(e, context))),
  input: (b, context) => input(b, context),
};

// Fields that are all a bold label above a value are a list of descriptions; Slack itself has no word for it.
function fields(objects, context) {
  const pairs = objects.map((f) => f.type === "mrkdwn" && /^\*([^*\n]+)\*\n([^]+)$/.exec(f.text));
  if (!pairs.every(Boolean)) return el("div", { class: "b-fields" }, objects.map((f) => el("div", {}, textObject(f, context))));
  return el("dl", { class: "b-fields" }, pairs.map(([, label, value]) =>
    el("div", {}, el("dt", {}, mrkdwn(label, context)), el("dd", {}, mrkdwn(value, context)))));
}

function unknown(block) {
  return el("pre", { class: "b-unknown" }, JSON.stringify(block, null, 2));
}

function image(object) {
  return safeLink(object.image_url ?? "", object.alt_text ?? "image");
}

function rich(part, context) {
  const texts = () => part.elements.map((e) => richText(e, context));
  switch (part.type) {
    case "rich_text_preformatted": return el("pre", { tabindex: "0" }, texts());
    case "rich_text_quote": return el("blockquote", {}, texts());
    case "rich_text_list":
      return el(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((item) => el("li", {}, rich(item, context))));
    case "rich_text_section": return el("p", {}, texts());
    default: return unknown(part);
  }
}

function richText(e, context) {
  let node;
  if (e.type === "text") node = e.text;
  else if (e.type === "link") node = safeLink(e.url, e.text ?? e.url);
  else if (e.type === "emoji") node = emoji(`:${e.name}:`);
  else if (e.type === "user") node = `@${context.people.find((p) => p.id === e.user_id)?.real_name ?? e.user_id}`;
  else node = JSON.stringify(e);
  for (const [style, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]]) {
    if (e.style?.[style]) node = el(tag, {}, node);
  }
  return node;
}

function element(e, block, context) {
  if (e.type !== "button") return unknown(e);
  const button = el("button", {
    type: "button", class: `b-button ${e.style ?? ""}`, "aria-label": e.accessibility_label,
    data: { actionId: e.action_id ?? "" },
    onclick: async () => {
      // Not `disabled`: a control that is disabled loses the focus.
      if (button.ariaBusy) return;
      button.ariaBusy = "true";
      const sure = !e.confirm || await context.confirm(e.confirm, e.style, block.block_id, e.action_id);
      if (sure) await context.act(block.block_id, e.action_id);
      button.ariaBusy = null;
    },
  }, emoji(e.text.text));
  return button;
}

function input(b, context) {
  const e = b.element;
  const id = `f-${b.block_id}`;
  const error = context.errors?.[b.block_id];
  const common = {
    id, name: b.block_id, "aria-invalid": error ? "true" : undefined, "aria-describedby": `${id}-hint`,
    "aria-required": b.optional ? undefined : "true",
    data: { actionId: e.action_id, kind: e.type },
  };
  let field;
  if (e.type === "plain_text_input") {
    const props = { ...common, placeholder: e.placeholder?.text, maxlength: e.max_length };
    field = e.multiline ? el("textarea", { ...props, rows: "3" }) : el("input", { ...props, type: "text" });
    field.value = e.initial_value ?? "";
  } else if (e.type === "static_select") {
    field = el("select", common, el("option", { value: "" }, e.placeholder?.text ?? "Choose"),
      e.options.map((o) => el("option", { value: o.value }, o.text.text)));
    field.value = e.initial_option?.value ?? "";
  } else if (e.type === "users_select") {
    field = el("select", common, el("option", { value: "" }, e.placeholder?.text ?? "Choose a person"),
      context.people.map((p) => el("option", { value: p.id }, p.real_name)));
    field.value = e.initial_user ?? "";
  } else if (e.type === "datetimepicker") {
    field = el("input", { ...common, type: "datetime-local", step: "1" });
    if (e.initial_date_time) field.value = localTime(new Date(e.initial_date_time * 1000));
  } else {
    field = unknown(e);
  }
  return el("div", { class: "b-input" },
    el("label", { for: id }, b.label.text, b.optional ? el("span", { class: "optional" }, " (optional)") : null), field,
    el("div", { class: "hint", id: `${id}-hint` }, error ? el("span", { class: "error" }, error) : null, el("span", {}, b.hint?.text ?? "")));
}

function localTime(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// The values of a form, by block and action.
export function valuesOf(form) {
  const values = {};
  for (const field of form.querySelectorAll("[name][data-action-id]")) {
    let value = field.value;
    if (field.dataset.kind === "datetimepicker") value = value ? Math.floor(new Date(value).getTime() / 1000) : null;
    values[field.name] = { [field.dataset.actionId]: value };
  }
  return values;
}
