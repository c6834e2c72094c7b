// Builds elements. Text only ever becomes a text node.

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

// Brings a list of elements in line with items, replacing only what changed: focus and half-typed
// text elsewhere stay.
export function reconcile(parent, items, keyOf, draw) {
  const known = new Map([...parent.children].map((c) => [c.dataset.key, c]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const hash = JSON.stringify(item);
    let node = known.get(key);
    known.delete(key);
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
  for (const gone of known.values()) gone.remove();
}
