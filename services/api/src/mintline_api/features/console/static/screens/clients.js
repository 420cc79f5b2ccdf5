// Machine clients: who may spend what, and what they have used of it.
import { html, useState } from "../preact.js";
import { call, get } from "../api.js";
import { Alert, Badge, Copy, Empty, Fact, Facts, Field, Loading, Progress, Title, ether, number, useAction, usePages, usePolled, when } from "../parts.js";

const ETHER = 10n ** 18n;

function weiOf(text) {
  const [whole, part = ""] = text.split(".");
  return (BigInt(whole || "0") * ETHER + BigInt(part.slice(0, 18).padEnd(18, "0"))).toString();
}

const etherOf = (wei) => {
  const part = (BigInt(wei) % ETHER).toString().padStart(18, "0").replace(/0+$/, "");
  return `${BigInt(wei) / ETHER}${part ? `.${part}` : ""}`;
};

function BudgetFields({ form, set }) {
  return html`<${Field} id="mints" label="Mints an hour" hint="Leave this empty for no limit except the signing policy's.">
      <input id="mints" type="number" min="0" step="1" value=${form.mints} onInput=${set("mints")} aria-describedby="mints-hint" /><//>
    <${Field} id="wei" label="ETH a day" hint="What the platform pays for the gas of its mints; empty as above.">
      <input id="wei" inputmode="decimal" pattern="[0-9]{0,9}([.][0-9]{0,18})?" value=${form.wei} onInput=${set("wei")} aria-describedby="wei-hint" /><//>`;
}

function budgetOf(form, collections) {
  return {
    mints_per_hour: form.mints === "" ? null : Number(form.mints),
    wei_per_day: form.wei === "" ? null : weiOf(form.wei),
    collections: collections ?? null,
  };
}

function Make() {
  const [form, setForm] = useState({ name: "", mints: "1000", wei: "0.5" });
  const [made, setMade] = useState(null);
  const set = (member) => (event) => setForm({ ...form, [member]: event.target.value });
  const action = useAction(async () => {
    setMade(await call("POST", "/v1/clients", { body: { name: form.name, budget: budgetOf(form) } }));
  });
  if (made !== null) {
    return html`<${Title}>${made.name}<//>
      <div class="note" role="status"><p><strong>Keep the secret now.</strong> It is shown this once.</p></div>
      <section class="card"><${Facts}>
        <${Fact} name="Client id"><${Copy} text=${made.client_id} /><//>
        <${Fact} name="Secret"><${Copy} text=${made.client_secret} /><//>
        <${Fact} name="Scopes">${made.scopes.join(", ")}<//>
      <//><div class="actions"><a class="button" href="#/clients">All clients</a></div></section>`;
  }
  const submit = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<${Title}>New client<//>
    <form class="card form" onSubmit=${submit}>
      <${Alert} problem=${action.problem} />
      <${Field} id="name" label="Name"><input id="name" required maxlength="64" value=${form.name} onInput=${set("name")} autocomplete="off" /><//>
      <${BudgetFields} form=${form} set=${set} />
      <div class="actions"><button class="primary" disabled=${action.busy}>${action.busy ? "Creating…" : "Create the client"}</button></div>
    </form>`;
}

function Used({ client }) {
  const { budget, used } = client;
  return html`<section class="card" aria-labelledby="used"><h2 id="used">Used</h2>
    ${budget.mints_per_hour !== null
      ? html`<${Progress} value=${used.mints} max=${budget.mints_per_hour} label=${`${number(used.mints)} of ${number(budget.mints_per_hour)} mints this hour`} />`
      : null}
    ${budget.wei_per_day !== null
      ? html`<${Progress} value=${Number(BigInt(used.wei) / 10n ** 9n)} max=${Number(BigInt(budget.wei_per_day) / 10n ** 9n)} label=${`${ether(used.wei)} of ${ether(budget.wei_per_day)} today`} />`
      : null}
    <${Facts}>
      <${Fact} name="Mints this hour">${number(used.mints)}<//>
      <${Fact} name="Gas today">${ether(used.wei)}<//>
      <${Fact} name="Mints reset">${when(used.mints_reset_at)}<//>
      <${Fact} name="Gas resets">${when(used.wei_reset_at)}<//>
    <//></section>`;
}

function Budget({ client, onChange }) {
  const { budget } = client;
  const [form, setForm] = useState({ mints: budget.mints_per_hour ?? "", wei: budget.wei_per_day === null ? "" : etherOf(budget.wei_per_day) });
  const set = (member) => (event) => setForm({ ...form, [member]: event.target.value });
  const action = useAction(() => onChange({ budget: budgetOf({ ...form, mints: String(form.mints) }, budget.collections) }));
  const submit = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<form class="card form" onSubmit=${submit} aria-labelledby="budget"><h2 id="budget">Budget</h2>
    <${Alert} problem=${action.problem} />
    <${BudgetFields} form=${form} set=${set} />
    ${budget.collections ? html`<p class="hint">It may mint in ${budget.collections.length} named collections.</p>` : null}
    <div class="actions"><button disabled=${action.busy}>Save the budget</button></div></form>`;
}

function Detail({ id }) {
  const path = `/v1/clients/${encodeURIComponent(id)}`;
  const { value: client, problem, again } = usePolled((signal) => get(path, { signal }), [path], { every: 5000 });
  const change = async (body) => {
    await call("PATCH", path, { body });
    again();
  };
  const toggle = useAction(change);
  if (client === null) return html`<${Title}>Client<//>${problem ? html`<${Alert} problem=${problem} />` : html`<${Loading} />`}`;
  return html`<${Title} action=${html`<${Badge} status=${client.disabled_at ? "disabled" : "enabled"} />`}>${client.name}<//>
    <${Alert} problem=${problem ?? toggle.problem} />
    <section class="card" aria-labelledby="about"><h2 id="about">About</h2><${Facts}>
      <${Fact} name="Client id"><${Copy} text=${client.client_id} /><//>
      <${Fact} name="Scopes">${client.scopes.join(", ")}<//>
      <${Fact} name="Created">${when(client.created_at)}<//>
    <//><div class="actions">
      ${client.disabled_at
        ? html`<button type="button" disabled=${toggle.busy} onClick=${() => toggle.run({ disabled: false })}>Enable</button>`
        : html`<button type="button" class="danger" disabled=${toggle.busy} onClick=${() => toggle.run({ disabled: true })}>Disable: refuse its tokens</button>`}
    </div></section>
    <div class="split"><${Used} client=${client} /><${Budget} client=${client} onChange=${change} /></div>`;
}

function limit(client) {
  const parts = [];
  if (client.budget.mints_per_hour !== null) parts.push(`${number(client.budget.mints_per_hour)} mints an hour`);
  if (client.budget.wei_per_day !== null) parts.push(`${ether(client.budget.wei_per_day)} a day`);
  return parts.join(", ") || "no limit except the signing policy's";
}

function List() {
  const pages = usePages(() => "/v1/clients", get, []);
  return html`<${Title} action=${html`<a class="button primary" href="#/clients/new">New client</a>`}>Clients<//>
    <${Alert} problem=${pages.problem} />
    ${pages.items === null && pages.busy ? html`<${Loading} />` : null}
    ${pages.items?.length === 0 ? html`<${Empty} title="No clients yet">A client is a company's backend: it has an id, a secret and a budget.<//>` : null}
    ${pages.items?.length
      ? html`<ul class="list card">${pages.items.map(
          (client) => html`<li key=${client.client_id}><a href=${`#/clients/${client.client_id}`}><strong>${client.name}</strong>
            <${Badge} status=${client.disabled_at ? "disabled" : "enabled"} /><small>${limit(client)}</small></a></li>`,
        )}</ul>`
      : null}`;
}

export default function Clients({ rest }) {
  if (rest[0] === "new") return html`<${Make} />`;
  return rest.length ? html`<${Detail} id=${rest[0]} />` : html`<${List} />`;
}
