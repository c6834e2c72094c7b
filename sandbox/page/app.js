// The page: fetches what the person sees, draws it, and sends what they do.
import * as api from "./api.js";
import { drawBlocks } from "./blocks.js";
import { el, reconcile } from "./dom.js";
import { confirmation, showErrors, showModal } from "./modal.js";
import { mrkdwn } from "./mrkdwn.js";

const $ = (id) => document.getElementById(id);
const view = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
view.as ??= "U0RESPOND1";
view.c ??= "C0WARROOM1";
let state = null;
let offset = 0;
const seen = JSON.parse(sessionStorage.getItem("seen") ?? "{}");
const toasted = new Set();

function remember() {
  const parts = { as: view.as, c: view.c, ...(view.t ? { t: view.t } : {}) };
  history.replaceState(null, "", `#${new URLSearchParams(parts)}`);
}

const context = (channel, ts) => ({
  people: state.people, channels: state.channels, today: new Date(state.now).toDateString(),
  confirm: confirmation,
  act: (block, action) => told(api.click(view.as, channel, ts, block, action)),
});

async function told(act) {
  const answer = await act;
  if (!answer.ok && answer.error) toast(answer.error);
  return answer;
}

function toast(text) {
  const node = el("div", { class: "toast" }, text);
  $("toasts").append(node);
  setTimeout(() => node.remove(), 6000);
}

function drawMessage(channel, inThread) {
  return (m) => {
    const person = state.people.find((p) => p.id === m.user) ?? { real_name: m.user, is_bot: false };
    const at = new Date(Number(m.ts) * 1000);
    const cx = context(channel.id, m.ts);
    return el("article", { class: `message ${m.ephemeral ? "ephemeral" : ""}`, data: { ts: m.ts, threadTs: m.thread_ts ?? "" } },
      el("div", { class: `avatar ${person.is_bot ? "bot" : ""}`, "aria-hidden": "true" }, person.real_name.slice(0, 1)),
      el("div", { class: "body" },
        m.ephemeral ? el("div", { class: "only" }, "Only visible to you") : null,
        el("div", { class: "who" }, el("strong", {}, person.real_name),
          person.is_bot ? el("span", { class: "badge" }, "APP") : null,
          el("time", { datetime: at.toISOString(), title: at.toISOString() }, at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })),
          m.edited ? el("span", { class: "edited" }, "(edited)") : null),
        m.blocks.length ? drawBlocks(m.blocks, cx) : el("p", {}, mrkdwn(m.text, cx)),
        !inThread && m.reply_count > 0
          ? el("button", { type: "button", class: "replies", onclick: () => openThread(m.ts) }, `${m.reply_count} ${m.reply_count === 1 ? "reply" : "replies"}`)
          : null));
  };
}

function list(node, messages, channel, inThread) {
  const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 80;
  reconcile(node, messages, (m) => m.ts, drawMessage(channel, inThread));
  if (atEnd) node.scrollTop = node.scrollHeight;
}

function draw() {
  const channel = state.channels.find((c) => c.id === view.c) ?? state.channels[0];
  view.c = channel?.id;
  if ($("person").children.length === 0) {
    $("person").append(...state.people.filter((p) => p.role !== "app").map((p) =>
      el("option", { value: p.id }, `${p.real_name} · ${p.role}`)));
  }
  $("person").value = view.as;
  seen[view.as] ??= {};
  if (channel) seen[view.as][channel.id] = channel.messages.at(-1)?.ts ?? "";
  sessionStorage.setItem("seen", JSON.stringify(seen));
  reconcile($("channels"), state.channels.map((c) => ({
    id: c.id, name: c.kind === "im" ? c.name : `# ${c.name}`, current: c.id === view.c,
    unread: (c.messages.at(-1)?.ts ?? "") > (seen[view.as][c.id] ?? ""),
  })), (c) => c.id, (c) => el("li", {}, el("button", {
    type: "button", class: "channel-button", "aria-current": c.current ? "page" : undefined,
    onclick: () => { view.c = c.id; view.t = ""; remember(); draw(); },
  }, c.name, c.unread ? el("span", { class: "dot", role: "img", "aria-label": "unread" }) : null)));
  if (!channel) return;
  $("channel-name").textContent = channel.kind === "im" ? channel.name : `# ${channel.name}`;
  const roots = channel.messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts);
  list($("messages"), roots, channel, false);
  const root = view.t && channel.messages.find((m) => m.ts === view.t);
  $("thread").hidden = !root;
  document.body.classList.toggle("with-thread", Boolean(root));
  if (root) list($("thread-messages"), [root, ...channel.messages.filter((m) => m.thread_ts === view.t && m.ts !== view.t)], channel, true);
  reconcile($("terminal"), state.attacker.slice(-40).map((l, i) => ({ ...l, i: `${l.at}${i}` })), (l) => l.i, (l) =>
    el("li", { class: l.ok ? "ok" : "denied" }, el("span", { class: "call" }, `$ ${l.call}`), el("span", { class: "detail" }, l.detail)));
  $("terminal").scrollTop = $("terminal").scrollHeight;
  for (const t of state.toasts.filter((t) => !toasted.has(t.id))) {
    toasted.add(t.id);
    if (new Date(state.now) - new Date(t.at) < 10000 * state.speed) toast(t.text);
  }
  showModal(state.modal, context(channel.id, ""), async (id, values) => {
    const answer = await api.submit(view.as, id, values);
    if (answer.errors) showErrors(answer.errors);
    else if (!answer.ok) toast(answer.error);
  }, (id) => api.close(view.as, id));
  document.body.dataset.ready = "true";
}

function openThread(ts) {
  view.t = ts;
  remember();
  draw();
  $("thread-messages").scrollTop = $("thread-messages").scrollHeight;
  $("thread-text").focus();
}

let fetching = false;
let again = false;
async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  do {
    again = false;
    try {
      state = await api.state(view.as);
      offset = Date.parse(state.now) - Date.now() * state.speed;
      draw();
    } catch (error) {
      toast(`The sandbox does not answer: ${error.message}`);
    }
  } while (again);
  fetching = false;
}

function composer(id, send) {
  $(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = event.target.elements.text;
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    const answer = await told(send(text));
    if (!answer.ok) field.value = text;
  });
}

composer("composer", (text) => text.startsWith("/") ? api.command(view.as, view.c, text) : api.message(view.as, view.c, null, text));
composer("thread-composer", (text) => text.startsWith("/")
  ? Promise.resolve({ ok: false, error: "Slack has no commands in threads: type it in the channel." })
  : api.message(view.as, view.c, view.t, text));

$("person").addEventListener("change", (event) => {
  view.as = event.target.value;
  remember();
  refresh();
});
$("thread-close").addEventListener("click", () => { view.t = ""; remember(); draw(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]") && view.t) $("thread-close").click();
});

const theme = (dark) => {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
  $("theme").textContent = dark ? "Light" : "Dark";
};
theme(localStorage.getItem("theme") ? localStorage.getItem("theme") === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme !== "dark";
  localStorage.setItem("theme", dark ? "dark" : "light");
  theme(dark);
});

setInterval(() => {
  if (state) $("clock").textContent = new Date(offset + Date.now() * state.speed).toISOString().slice(0, 19).replace("T", " ") + " UTC" + (state.speed > 1 ? ` · ${state.speed}×` : "");
}, 500);
api.follow(refresh);
refresh();
