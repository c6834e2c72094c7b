// Builds elements, and brings what is shown in line with what there is, without taking focus or the
// reading position away. Text only ever becomes a text node.

export const $ = (id) => document.getElementById(id);

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return node;
}

// Where the focus is, in words: elements are redrawn, so the element itself may be gone when the focus
// is to go back there.
export function focusedSpot() {
  const node = document.activeElement;
  const kept = node?.closest("[data-key]");
  return {
    id: node?.id, list: kept?.parentElement.id, key: kept?.dataset.key,
    block: node?.closest("[data-block-id]")?.dataset.blockId, action: node?.dataset.actionId,
  };
}

// Focuses the same control again, or else its message, or else the place to write in. What of it is in
// view already stays where it is.
export function focusSpot(spot) {
  const list = $(spot.list ?? "");
  const item = list && childOf(list, spot.key);
  const wanted = [item && sameControl(item, spot), item, list, $(spot.id ?? ""), $("thread-text"), $("composer-text")];
  const found = wanted.find((node) => node?.matches("[tabindex], a, button, input, select, textarea") && node.checkVisibility());
  found?.focus({ preventScroll: true });
  const [seen, frame] = [found, found?.closest(".messages")].map((n) => n?.getBoundingClientRect());
  if (frame && (seen.bottom <= frame.top || seen.top >= frame.bottom)) found.scrollIntoView({ block: "nearest" });
}

function sameControl(item, { block, action }) {
  // A list item that cannot take the focus itself has one control.
  if (!action) return item.hasAttribute("tabindex") ? item : item.querySelector("button");
  const same = [...item.querySelectorAll("[data-action-id]")].filter((c) => c.dataset.actionId === action);
  // Slack gives blocks without an id a new one at every edit.
  return same.find((c) => c.closest("[data-block-id]")?.dataset.blockId === block) ?? same[0];
}

function childOf(parent, key) {
  return [...parent.children].find((c) => c.dataset.key === key);
}

// Brings a list of elements in line with items, replacing only what changed.
export function reconcile(parent, items, keyOf, draw) {
  const spot = parent.contains(document.activeElement) && document.activeElement !== parent ? focusedSpot() : null;
  const keys = new Set(items.map(keyOf));
  // What is gone goes first. Otherwise everything after it would have to move, which costs it its focus.
  const neighbour = spot && !keys.has(spot.key) ? survivor(childOf(parent, spot.key), keys) : null;
  for (const child of [...parent.children]) if (!keys.has(child.dataset.key)) child.remove();
  const known = new Map([...parent.children].map((c) => [c.dataset.key, c]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const hash = JSON.stringify(item);
    let node = known.get(key);
    if (!node || node.dataset.hash !== hash) {
      const fresh = draw(item);
      fresh.dataset.key = key;
      fresh.dataset.hash = hash;
      if (node) {
        if (node === at) at = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  if (spot && !parent.contains(document.activeElement)) {
    focusSpot(neighbour ? { list: parent.id, key: neighbour } : spot);
  }
}

// The key of the nearest item that stays.
function survivor(child, keys) {
  for (const way of ["nextElementSibling", "previousElementSibling"]) {
    for (let node = child?.[way]; node; node = node[way]) if (keys.has(node.dataset.key)) return node.dataset.key;
  }
  return null;
}

const NEAR = 30; // Pixels from the end that still count as being there.

// Knows whether people are at the end of a list, and keeps them there when it grows or is folded anew.
export function follower(node) {
  const size = () => `${node.clientWidth} ${node.clientHeight}`;
  let known = size();
  const self = {
    atEnd: true,
    follow: () => {
      if (self.atEnd) node.scrollTop = node.scrollHeight;
    },
  };
  // Only people's own scrolling tells: when the size changes, it is the end that moves, not they.
  node.addEventListener("scroll", () => {
    if (known === size()) self.atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR;
  });
  new ResizeObserver(() => {
    known = size();
    self.follow();
  }).observe(node);
  return self;
}

const lists = new Map();

// A list of messages that people read while it changes. `what` names the conversation; `jump` is the
// button that leads to what arrived below. Gives the messages that are new since the last time.
export function conversation(node, jump, what, items, draw, wanted) {
  const list = lists.get(node) ?? newList(node, jump);
  const same = list.what === what;
  if (!same) list.end.atEnd = true;
  // The first message in view stays where it is, whatever changes above or below it.
  const first = [...node.children].find((c) => c.offsetTop + c.offsetHeight > node.scrollTop);
  const top = first ? first.offsetTop - node.scrollTop : 0;
  reconcile(node, items, (m) => m.ts, draw);
  const fresh = same ? items.filter((m) => !list.keys.has(m.ts)) : [];
  Object.assign(list, { what, keys: new Set(items.map((m) => m.ts)), unseen: same ? list.unseen : null });
  const anchor = first && childOf(node, first.dataset.key);
  if (anchor && !list.end.atEnd) node.scrollTop = anchor.offsetTop - top;
  list.end.follow();
  const shown = fresh.filter(wanted).at(-1);
  if (shown) intoView(node, childOf(node, shown.ts));
  list.unseen ??= fresh[0]?.ts ?? null;
  list.settle();
  return fresh;
}

function newList(node, jump) {
  const list = { end: follower(node), what: null, keys: new Set(), unseen: null };
  const unseen = () => list.unseen && childOf(node, list.unseen);
  list.settle = () => {
    const child = unseen();
    // One line of the message in view is enough to know that it is there.
    if (!child || child.offsetTop + NEAR < node.scrollTop + node.clientHeight) list.unseen = null;
    if (!list.unseen && document.activeElement === jump) node.focus({ preventScroll: true });
    jump.hidden = !list.unseen;
  };
  node.addEventListener("scroll", list.settle);
  jump.addEventListener("click", () => {
    const child = unseen();
    if (!child) return;
    node.scrollTop = child.offsetTop;
    child.focus({ preventScroll: true });
    list.settle();
  });
  lists.set(node, list);
  return list;
}

function intoView(node, child) {
  node.scrollTop = Math.max(node.scrollTop, child.offsetTop + child.offsetHeight - node.clientHeight);
  node.scrollTop = Math.min(node.scrollTop, child.offsetTop);
}

// Says something to people who listen rather than look.
export function announce(text) {
  $("status").textContent = text;
}

export function toast(text) {
  const node = el("div", { class: "toast" }, text);
  const box = $("toasts");
  box.append(node);
  // Shown anew, a popover is above every dialog.
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
  setTimeout(() => node.remove(), 6000 + text.length * 40);
}
