// The page: fetches what the person sees, draws it, and sends what they do.
import * as api from "./api.js";
import { drawMessage, hasButton, sender } from "./blocks.js";
import { $, announce, conversation, el, focusSpot, follower, reconcile, toast } from "./dom.js";
import { confirmation, dropStaleConfirmation, showErrors, showModal } from "./modal.js";
import { plain } from "./mrkdwn.js";

const GONE = "This button is gone: somebody was faster.";
const view = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
view.as ??= "U0RESPOND1";
view.c ??= "C0WARROOM1";
view.t ??= "";
let state = null;
let offset = 0;
const toasted = new Set();
// What the page keeps for each person while its tab lives: what they have read, where they were, and
// what they had begun to write. One browser plays them all, and must not mix them up.
const memory = { seen: {}, places: {}, drafts: {}, ...JSON.parse(sessionStorage.getItem("memory") ?? "{}") };
const keep = () => sessionStorage.setItem("memory", JSON.stringify(memory));

function remember() {
  memory.places[view.as] = { c: view.c, t: view.t };
  keep();
  const parts = { as: view.as, c: view.c, ...(view.t ? { t: view.t } : {}) };
  history.replaceState(null, "", `#${new URLSearchParams(parts)}`);
}

function go(place) {
  Object.assign(view, place);
  remember();
  draw();
}

const context = (channel, m) => ({
  people: state.people, channels: state.channels, today: new Date(state.now).toDateString(),
  confirm: (object, style, block, action) => confirmation(object, style, () =>
    hasButton(state.channels.find((c) => c.id === channel)?.messages.find((now) => now.ts === m.ts), block, action)),
  act: (block, action) => told(api.click(view.as, channel, m.ts, block, action)),
});

// Who did something last, and until when a private message to them is taken for the answer.
let acted = { as: "", until: 0 };
const justActed = () => acted.as === view.as && Date.now() < acted.until;

async function told(act) {
  const as = view.as;
  acted = { as, until: Date.now() + 15000 };
  const answer = await act;
  acted = { as, until: Date.now() + 15000 };
  if (!answer.ok && answer.error) toast(answer.error === "no such button" ? GONE : answer.error);
  return answer;
}

function drawChannels() {
  reconcile($("channels"), state.channels.map((c) => ({
    id: c.id, name: c.kind === "im" ? c.name : `# ${c.name}`, current: c.id === view.c,
    unread: (c.messages.at(-1)?.ts ?? "") > (memory.seen[view.as][c.id] ?? ""),
  })), (c) => c.id, (c) => el("li", {}, el("button", {
    type: "button", class: "channel-button", "aria-current": c.current ? "page" : undefined,
    onclick: () => go({ c: c.id, t: "" }),
  }, c.name, c.unread ? el("span", { class: "dot", role: "img", "aria-label": "unread" }) : null)));
}

const terminalEnd = follower($("terminal"));
function drawTerminal() {
  // A line of a session of its own brings its prompt along.
  const call = (l) => /^[\w-]+\$ /.test(l.call) ? l.call : `$ ${l.call}`;
  reconcile($("terminal"), state.attacker.slice(-40), (l) => `${l.at} ${l.call}`, (l) =>
    el("li", { class: l.ok ? "ok" : "denied" }, el("span", { class: "call" }, call(l)), el("span", { class: "detail" }, l.detail)));
  terminalEnd.follow();
}

// Draws the channel and the thread, and says what is new in them.
function drawConversations(channel) {
  $("channel-name").textContent = channel.kind === "im" ? channel.name : `# ${channel.name}`;
  const root = view.t && channel.messages.find((m) => m.ts === view.t);
  $("thread").hidden = !root;
  document.body.classList.toggle("with-thread", Boolean(root));
  // People are shown what they wrote themselves, and what they are told in answer to what they did.
  const wanted = (m) => m.user === view.as || (m.ephemeral && justActed());
  const place = `${view.as} ${channel.id}`;
  const list = (name, what, messages, open) => conversation($(name), $(open ? "messages-new" : "thread-new"), what, messages,
    (m) => drawMessage(m, { ...context(channel.id, m), open: open && (() => openThread(m.ts)) }), wanted);
  const held = document.activeElement?.closest(".messages [data-ts]");
  const roots = channel.messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts);
  const replies = root ? [root, ...channel.messages.filter((m) => m.thread_ts === view.t && m.ts !== view.t)] : [];
  const fresh = [...list("messages", place, roots, true), ...list("thread-messages", root ? `${place} ${view.t}` : "", replies, false)]
    .filter((m) => m.user !== view.as);
  const last = fresh.at(-1);
  const count = fresh.length > 1 ? `${fresh.length} new messages, the last from ` : "";
  if (last) announce(`${count}${sender(last, state.people)}: ${said(channel, last)}`);
  // The card that the person has just pressed a button of says what became of it, in its short text.
  else if (justActed() && held && !held.isConnected) announce(said(channel, channel.messages.find((m) => m.ts === held.dataset.ts)));
}

const said = (channel, m, length_max) =>
  m ? plain(m.text || m.files.map((f) => f.title).join(", "), context(channel.id, m), length_max) : "";

// A private answer that came where the person does not look is told as a toast.
function tellElsewhere(before) {
  if (before?.me.id !== view.as || !justActed()) return;
  const privately = (s) => s.channels.flatMap((c) => c.messages.filter((m) => m.ephemeral).map((m) => ({ c, m })));
  const known = new Set(privately(before).map(({ m }) => m.ts));
  for (const { c, m } of privately(state).filter(({ m }) => !known.has(m.ts))) {
    const shown = [...document.querySelectorAll(".messages .ephemeral")].some((n) => n.dataset.ts === m.ts && n.checkVisibility());
    if (!shown) toast(`Only visible to you, in ${c.name}: ${said(c, m, 200)}`);
  }
}

function draw(before = null) {
  let channel = state.channels.find((c) => c.id === view.c);
  if (!channel) {
    channel = state.channels[0];
    Object.assign(view, { c: channel?.id, t: "" });
    remember();
  }
  if ($("person").children.length === 0) {
    $("person").append(...state.people.filter((p) => p.role !== "app").map((p) =>
      el("option", { value: p.id }, `${p.real_name} · ${p.role}`)));
  }
  $("person").value = view.as;
  memory.seen[view.as] ??= {};
  if (channel) memory.seen[view.as][channel.id] = channel.messages.at(-1)?.ts ?? "";
  keep();
  drawChannels();
  if (!channel) return;
  drawConversations(channel);
  showDrafts();
  drawTerminal();
  for (const t of state.toasts.filter((t) => !toasted.has(t.id))) {
    toasted.add(t.id);
    if (new Date(state.now) - new Date(t.at) < 10000 * state.speed) toast(t.text);
  }
  if (dropStaleConfirmation()) toast(GONE);
  tellElsewhere(before);
  showModal(state.modal, context(channel.id, { ts: "" }), async (id, values) => {
    const answer = await told(api.submit(view.as, id, values));
    if (answer.errors) showErrors(answer.errors);
  }, (id) => told(api.close(view.as, id)));
  document.body.dataset.ready = "true";
}

function openThread(ts) {
  go({ t: ts });
  $("thread-text").focus();
}

function closeThread() {
  const inside = $("thread").contains(document.activeElement) || document.activeElement === document.body;
  const opener = { list: "messages", key: view.t, action: "page.thread" };
  go({ t: "" });
  if (inside) focusSpot(opener);
}

let fetching = false;
let again = false;
async function refresh() {
  again = true;
  if (fetching) return;
  fetching = true;
  while (again) {
    again = false;
    const as = view.as;
    try {
      const got = await api.state(as);
      // Somebody else was chosen meanwhile: what this one sees is nothing to them.
      if (as !== view.as) continue;
      const before = state;
      state = got;
      offset = Date.parse(state.now) - Date.now() * state.speed;
      draw(before);
    } catch (error) {
      toast(`The sandbox does not answer: ${error.message}`);
    }
  }
  fetching = false;
}

// Brings what the person had begun to write here into the fields.
function showDrafts() {
  for (const [id, where] of [["composer-text", `${view.as} ${view.c}`], ["thread-text", `${view.as} ${view.c} ${view.t}`]]) {
    if ($(id).dataset.where === where) continue;
    $(id).dataset.where = where;
    $(id).value = memory.drafts[where] ?? "";
  }
}

function setDraft(where, text) {
  if (text) memory.drafts[where] = text;
  else delete memory.drafts[where];
  keep();
}

function composer(id, send) {
  const field = $(id).elements.text;
  field.addEventListener("input", () => setDraft(field.dataset.where, field.value));
  $(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const where = field.dataset.where;
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    setDraft(where, "");
    const answer = await told(send(text));
    // What did not go out comes back, unless something else was written there meanwhile.
    if (answer.ok || memory.drafts[where]) return;
    setDraft(where, text);
    if (field.dataset.where === where) field.value = text;
  });
}

composer("composer", (text) => text.startsWith("/") ? api.command(view.as, view.c, text) : api.message(view.as, view.c, null, text));
composer("thread-composer", (text) => text.startsWith("/")
  ? Promise.resolve({ ok: false, error: "Slack has no commands in threads: type it in the channel." })
  : api.message(view.as, view.c, view.t, text));

$("person").addEventListener("change", (event) => {
  // Somebody who was nowhere yet comes along to where the last one is.
  const place = memory.places[event.target.value] ?? { c: view.c, t: view.t };
  Object.assign(view, { as: event.target.value, ...place });
  remember();
  showDrafts();
  refresh();
});
$("thread-close").addEventListener("click", closeThread);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]") && view.t) closeThread();
});
// Not by its link: the address keeps the person and the place.
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("channel").focus();
});

// The theme is the system's, until a person chooses the other one here.
const system = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  const dark = (localStorage.getItem("theme") ?? (system.matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
}
system.addEventListener("change", theme);
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme !== "dark";
  if (dark === system.matches) localStorage.removeItem("theme");
  else localStorage.setItem("theme", dark ? "dark" : "light");
  theme();
});
theme();

setInterval(() => {
  if (state) $("clock").textContent = new Date(offset + Date.now() * state.speed).toISOString().slice(0, 19).replace("T", " ") + " UTC" + (state.speed > 1 ? ` · ${state.speed}×` : "");
}, 500);
remember();
api.follow(refresh);
refresh();
