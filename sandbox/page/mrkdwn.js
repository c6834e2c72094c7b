// Slack's mrkdwn to DOM: styles, links, mentions, dates, emoji. Nothing is ever parsed as HTML.
import { el } from "./dom.js";

const EMOJI = {
  rotating_light: "🚨", warning: "⚠️", white_check_mark: "✅", x: "❌", lock: "🔒", unlock: "🔓", key: "🔑",
  hourglass_flowing_sand: "⏳", mag: "🔍", ballot_box_with_check: "☑️", arrows_counterclockwise: "🔄", card_file_box: "🗃️", open_file_folder: "📂", red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡",
  large_green_circle: "🟢", large_blue_circle: "🔵", white_circle: "⚪️", grey_question: "❔", raised_hand: "✋", shield: "🛡️", no_entry: "⛔", eyes: "👀",
  memo: "📝", repeat: "🔁", rewind: "⏪", bell: "🔔", closed_lock_with_key: "🔐", arrow_right: "➡️",
  busts_in_silhouette: "👥", robot_face: "🤖", fire: "🔥", information_source: "ℹ️", thread: "🧵", page_facing_up: "📄", bulb: "💡", leftwards_arrow_with_hook: "↩️",
};

export function emoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole);
}

function decoded(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

export function safeLink(url, label) {
  const safe = /^(https?|mailto):/i.test(url);
  return safe ? el("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, label) : label;
}

function dated(seconds, format, people) {
  const at = new Date(Number(seconds) * 1000);
  const day = at.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  const part = {
    "{date_short_pretty}": at.toDateString() === people.today ? "today" : day,
    "{date_short}": day, "{date}": at.toLocaleDateString(), "{date_num}": at.toISOString().slice(0, 10),
    "{time}": at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }),
    "{time_secs}": at.toLocaleTimeString(),
  };
  return el("time", { datetime: at.toISOString(), title: at.toISOString() }, format.replace(/\{\w+\}/g, (p) => part[p] ?? p));
}

function special(inside, context) {
  const [body, label] = [inside.split("|")[0], inside.includes("|") ? inside.slice(inside.indexOf("|") + 1) : null];
  if (body.startsWith("@")) {
    const person = context.people.find((p) => p.id === body.slice(1));
    return el("span", { class: "mention" }, `@${person ? person.real_name : body.slice(1)}`);
  }
  if (body.startsWith("#")) {
    const channel = context.channels.find((c) => c.id === body.slice(1));
    return el("span", { class: "mention" }, `#${channel ? channel.name : label ?? body.slice(1)}`);
  }
  if (body.startsWith("!date^")) {
    const [, seconds, format] = body.split("^");
    return dated(seconds, format, context);
  }
  if (body.startsWith("!subteam^")) return el("span", { class: "mention" }, label ?? `@${body.slice(9)}`);
  if (body.startsWith("!")) return el("span", { class: "mention" }, `@${body.slice(1)}`);
  return safeLink(decoded(body), decoded(label ?? body));
}

const TOKEN = /<([^<>]+)>|```([\s\S]+?)```|`([^`\n]+)`|(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<![\w_])_([^_\n]+)_(?![\w_])|(?<![\w~])~([^~\n]+)~(?![\w~])/g;

function inline(text, context) {
  const out = [];
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    out.push(emoji(decoded(text.slice(last, match.index))));
    const [whole, angle, pre, code, bold, italic, strike] = match;
    if (angle !== undefined) out.push(special(angle, context));
    else if (pre !== undefined) out.push(el("pre", {}, decoded(pre)));
    else if (code !== undefined) out.push(el("code", {}, decoded(code)));
    else if (bold !== undefined) out.push(el("strong", {}, inline(bold, context)));
    else if (italic !== undefined) out.push(el("em", {}, inline(italic, context)));
    else if (strike !== undefined) out.push(el("s", {}, inline(strike, context)));
    last = match.index + whole.length;
  }
  out.push(emoji(decoded(text.slice(last))));
  return out;
}

export function mrkdwn(text, context) {
  const out = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.startsWith("&gt;")) {
      out.push(el("blockquote", {}, inline(line.slice(4).trimStart(), context)));
      continue;
    }
    if (i > 0) out.push(el("br"));
    out.push(...inline(line, context));
  }
  return out;
}

// What a message says, in one line that is read out or named.
export function plain(text, context, length_max = 160) {
  const said = el("p", {}, mrkdwn(text.replaceAll("\n", " "), context)).textContent;
  return said.length > length_max ? `${said.slice(0, length_max)}…` : said;
}

// A text object of either kind.
export function textObject(object, context) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text, context) : [emoji(object.text)];
}
