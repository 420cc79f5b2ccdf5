// Webhooks: where events are posted to, what the receivers answered, and sending again.
import { html, useState } from "../preact.js";
import { call, get, query } from "../api.js";
import { config } from "../session.js";
import { Alert, Badge, Copy, Empty, Fact, Facts, Field, Loading, More, Title, number, useAction, usePages, usePolled, when } from "../parts.js";

function Secret({ made, children }) {
  return html`<div class="note" role="status"><p><strong>Keep the secret now.</strong> It is shown this once.</p></div>
    <section class="card" aria-labelledby="secret"><h2 id="secret">For your receiver</h2><${Facts}>
      <${Fact} name="Secret"><${Copy} text=${made.secret} /><//>
      <${Fact} name="Public key"><${Copy} text=${made.public_key} /><//>
      <${Fact} name="Posted to"><code>${made.url}</code><//>
    <//>${children}</section>`;
}

function Types({ chosen, onChange }) {
  const toggle = (name) => onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return html`<fieldset><legend>Types</legend><p class="hint">All, those of later releases too, if you choose none.</p>
    <div class="types">${config.event_types.map(
      (name) => html`<label class="check" key=${name}><input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />${name}</label>`,
    )}</div></fieldset>`;
}

function Make({ session }) {
  const [form, setForm] = useState({ url: "", description: "", types: [], all: false });
  const [made, setMade] = useState(null);
  const action = useAction(async () => {
    const body = { url: form.url.trim(), description: form.description };
    if (form.types.length) body.types = form.types;
    if (form.all) body.principal = "operators";
    setMade(await call("POST", "/v1/webhooks", { body }));
  });
  if (made !== null) {
    return html`<${Title}>New webhook<//><${Secret} made=${made}>
      <div class="actions"><a class="button primary" href=${`#/webhooks/${made.webhook_id}`}>See the webhook</a></div><//>`;
  }
  const set = (member) => (event) => setForm({ ...form, [member]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<${Title}>New webhook<//>
    <form class="card form" onSubmit=${submit}>
      <${Alert} problem=${action.problem} />
      <${Field} id="url" label="URL" hint="https, on the public Internet. Deliveries are signed as the Standard Webhooks convention says.">
        <input id="url" type="url" required maxlength="2000" value=${form.url} onInput=${set("url")} aria-describedby="url-hint" autocomplete="off" /><//>
      <${Field} id="description" label="Description"><input id="description" maxlength="500" value=${form.description} onInput=${set("description")} autocomplete="off" /><//>
      <${Types} chosen=${form.types} onChange=${(types) => setForm({ ...form, types })} />
      ${session.role === "operator"
        ? html`<label class="check"><input type="checkbox" checked=${form.all} onChange=${() => setForm({ ...form, all: !form.all })} />Events of the operators, not of this client</label>`
        : null}
      <div class="actions"><button class="primary" disabled=${action.busy}>${action.busy ? "Creating…" : "Create the webhook"}</button></div>
    </form>`;
}

function Deliveries({ path }) {
  const [more, setMore] = useState([]);
  const { value, problem } = usePolled((signal) => get(query(`${path}/deliveries`, { limit: 20 }), { signal }), [path], { every: 2000 });
  const [next, setNext] = useState(null);
  const load = useAction(async (cursor) => {
    const page = await get(query(`${path}/deliveries`, { limit: 20, cursor }));
    setMore([...more, ...page.items]);
    setNext(page.next_cursor ?? "");
  });
  const newest = value?.items ?? [];
  const shown = new Map([...newest, ...more].map((one) => [`${one.event_id} ${one.at} ${one.attempt}`, one]));
  const cursor = next ?? value?.next_cursor;
  return html`<section class="card" aria-labelledby="deliveries"><h2 id="deliveries">Deliveries</h2>
    <${Alert} problem=${problem ?? load.problem} />
    ${value === null && !problem ? html`<${Loading} />` : null}
    ${value && shown.size === 0 ? html`<p>Nothing was sent in the last seven days.</p>` : null}
    ${shown.size
      ? html`<div class="scroll" tabindex="0" role="group" aria-labelledby="deliveries"><table>
          <thead><tr><th scope="col">Event</th><th scope="col">Outcome</th><th scope="col" class="number">Attempt</th><th scope="col" class="number">Took</th><th scope="col">When</th></tr></thead>
          <tbody>${[...shown].map(
            ([key, one]) => html`<tr key=${key}><td>${one.type}</td>
              <td><${Badge} status=${one.delivered ? "delivered" : "failed"} /> ${one.status_code ?? one.error ?? ""}</td>
              <td class="number">${number(one.attempt)}</td><td class="number">${number(one.latency_ms)} ms</td><td>${when(one.at)}</td></tr>`,
          )}</tbody></table></div>`
      : null}
    ${cursor ? html`<${More} pages=${{ next: cursor, busy: load.busy, more: () => load.run(cursor) }} />` : null}
  </section>`;
}

function Buttons({ webhook, path, again, onSecret }) {
  const [deleting, setDeleting] = useState(false);
  const [told, setTold] = useState("");
  const action = useAction(async (method, rest, body, text = "") => {
    const response = await call(method, path + rest, { body });
    setTold(text);
    if (rest === "/secret") onSecret(response);
    if (method === "DELETE") location.hash = "#/webhooks";
    else again();
  });
  const does = (label, ...given) => html`<button type="button" disabled=${action.busy} onClick=${() => action.run(...given)}>${label}</button>`;
  return html`<${Alert} problem=${action.problem} />
    <p role="status">${told}</p>
    <div class="actions">
      ${webhook.status === "enabled"
        ? html`${does("Send a test", "POST", "/test", undefined, "A test event is on its way.")}
            ${does("Replay from the beginning", "POST", "/replay", {}, "All events of the last 30 days are sent again.")}
            ${does("Disable", "PATCH", "", { status: "disabled" })}`
        : does("Enable", "PATCH", "", { status: "enabled" }, "What happened meanwhile is sent now.")}
      ${does("Rotate the secret", "POST", "/secret")}
      ${deleting
        ? html`<button type="button" class="danger" disabled=${action.busy} onClick=${() => action.run("DELETE", "")}>Delete it for good</button>
            <button type="button" onClick=${() => setDeleting(false)}>Keep it</button>`
        : html`<button type="button" class="danger" onClick=${() => setDeleting(true)}>Delete</button>`}
    </div>`;
}

function Detail({ id }) {
  const path = `/v1/webhooks/${encodeURIComponent(id)}`;
  const { value: webhook, problem, again } = usePolled((signal) => get(path, { signal }), [path], { every: 4000 });
  const [rotated, setRotated] = useState(null);
  if (webhook === null) return html`<${Title}>Webhook<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  return html`<${Title} action=${html`<${Badge} status=${webhook.status} />`}>${webhook.description || "Webhook"}<//>
    <${Alert} problem=${problem} />
    ${webhook.disabled_reason ? html`<div class="note"><p><strong>Deliveries were stopped.</strong> ${webhook.disabled_reason}</p></div>` : null}
    ${rotated ? html`<${Secret} made=${rotated}><p>The one before signs each delivery too, for 24 hours.</p><//>` : null}
    <section class="card" aria-labelledby="about"><h2 id="about">About</h2><${Facts}>
      <${Fact} name="URL"><code>${webhook.url}</code><//>
      <${Fact} name="Types">${webhook.types ? webhook.types.join(", ") : "all"}<//>
      <${Fact} name="Public key"><${Copy} text=${webhook.public_key} /><//>
      <${Fact} name="Not acknowledged">${webhook.failing ? `${number(webhook.failing)} events` : "none"}<//>
      <${Fact} name="Sent again">${when(webhook.next_attempt_at)}<//>
      <${Fact} name="Created">${when(webhook.created_at)}<//>
    <//><${Buttons} webhook=${webhook} path=${path} again=${again} onSecret=${setRotated} /></section>
    <${Deliveries} path=${path} />`;
}

function List() {
  const pages = usePages(() => "/v1/webhooks", get, []);
  return html`<${Title} action=${html`<a class="button primary" href="#/webhooks/new">New webhook</a>`}>Webhooks<//>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 ? html`<${Empty} title="No webhooks yet">A webhook is a URL of yours to which events are posted as they happen.<//>` : null}
    ${pages.items?.length
      ? html`<ul class="list card">${pages.items.map(
          (one) => html`<li key=${one.webhook_id}><a href=${`#/webhooks/${one.webhook_id}`}><strong>${one.description || one.url}</strong>
            <${Badge} status=${one.status} /><small>${one.url} · ${one.types ? `${number(one.types.length)} types` : "all types"}${one.failing ? ` · ${number(one.failing)} not acknowledged` : ""}</small></a></li>`,
        )}</ul>`
      : null}`;
}

export default function Webhooks({ rest, session }) {
  if (rest[0] === "new") return html`<${Make} session=${session} />`;
  return rest.length ? html`<${Detail} id=${rest[0]} />` : html`<${List} />`;
}
