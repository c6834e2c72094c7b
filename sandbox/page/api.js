// What the page asks of the workspace, in a person's name.

async function post(path, body) {
  let response;
  try {
    response = await fetch(`/sandbox/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch (error) {
    return { ok: false, error: `The sandbox does not answer: ${error.message}` };
  }
  if (!response.ok) return { ok: false, error: `the sandbox answered ${response.status}` };
  return response.json();
}

export const command = (as, channel, text) => post("command", { as, channel, text });
export const message = (as, channel, thread_ts, text) => post("message", { as, channel, thread_ts, text });
export const click = (as, channel, ts, block_id, action_id, selected = null) =>
  post("click", { as, channel, ts, block_id, action_id, selected });
export const submit = (as, view_id, values) => post("view/submit", { as, view_id, values });
export const close = (as, view_id) => post("view/close", { as, view_id });

export async function state(as) {
  const response = await fetch(`/sandbox/state?as=${encodeURIComponent(as)}`);
  if (!response.ok) throw new Error(`no state for ${as}`);
  return response.json();
}

export function follow(changed) {
  const events = new EventSource("/sandbox/events");
  events.addEventListener("message", changed);
  events.addEventListener("open", changed);
}
