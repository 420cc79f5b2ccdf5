// The shell: who is signed in, which screen is open, and the menu.
import { html, render, useEffect, useState } from "./preact.js";
import { config, current, finishSignIn, roles, signIn, signOut } from "./session.js";
import { Alert, Loading, Title } from "./parts.js";

// Each screen is a module of its own, loaded when it is opened first; one with a `scope` is for those who sign in with it.
const SCREENS = [
  { name: "mint", title: "Mint", roles: ["user"], icon: "M12 5v14M5 12h14" },
  { name: "mints", title: "Mints", roles: ["user"], icon: "M5 7h14M5 12h14M5 17h9" },
  { name: "gallery", title: "Gallery", roles: ["user"], icon: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4" },
  { name: "wallet", title: "Wallet", roles: ["user"], icon: "M4 7h16v11H4zM15 12h5M4 7l11-3v3" },
  { name: "collections", title: "Collections", roles: ["operator"], icon: "M4 8l8-4 8 4-8 4zM4 12l8 4 8-4M4 16l8 4 8-4" },
  { name: "drops", title: "Drops", roles: ["operator"], icon: "M12 4v10M8 10l4 4 4-4M5 19h14" },
  { name: "events", title: "Events", roles: ["user", "operator"], icon: "M4 12h4l3-7 3 14 3-7h3" },
  { name: "webhooks", title: "Webhooks", roles: ["user", "operator"], scope: "webhooks:write", icon: "M4 12h11M11 7l5 5-5 5M20 5v14" },
  { name: "clients", title: "Clients", roles: ["operator"], icon: "M5 5h14v6H5zM5 14h14v5H5zM8 8h.01M8 16.5h.01" },
  { name: "pipeline", title: "Pipeline", roles: ["operator"], scope: "admin", icon: "M4 12h4M16 12h4M8 8h8v8H8zM12 4v4M12 16v4" },
];
const HIDDEN = ["token"];

// The parts of the address; one that does not decode names nothing.
function open() {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return [""];
  }
}

function menuOf(role) {
  const scopes = config[role].scopes;
  return SCREENS.filter(({ roles, scope }) => roles.includes(role) && (!scope || scopes.includes(`mintline/${scope}`)));
}

function Icon({ path }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;
}

function Menu({ role, screen }) {
  const here = !HIDDEN.includes(screen) ? screen : role === "operator" ? "collections" : "gallery";
  return html`<nav class="menu" aria-label="Screens"><ul>
    ${menuOf(role).map(
      ({ name, title, icon }) => html`<li key=${name}>
        <a href=${`#/${name}`} aria-current=${here === name ? "page" : null}><${Icon} path=${icon} /><span>${title}</span></a>
      </li>`,
    )}
  </ul></nav>`;
}

function Welcome({ refusal }) {
  return html`<main class="center" id="main">
    <p class="brand big">Mintline</p>
    <${Title}>Sign in<//>
    <p>Mint tokens, follow them to the chain, and see what you own.</p>
    <${Alert}>${refusal ? html`<p>${refusal}</p>` : null}<//>
    <div class="actions">
      <button type="button" class="primary" onClick=${() => signIn("user")}>Sign in</button>
      ${roles().includes("operator")
        ? html`<button type="button" onClick=${() => signIn("operator")}>Sign in as an operator</button>`
        : null}
    </div>
    <p class="hint">Chain ${config.chain_id} · <a href="../docs">API reference</a></p>
  </main>`;
}

function Screen({ name, rest, session }) {
  const [loaded, setLoaded] = useState({ name: null, component: null, failed: false });
  useEffect(() => {
    let wanted = true;
    import(`./screens/${name}.js`)
      .then((module) => wanted && setLoaded({ name, component: module.default, failed: false }))
      .catch(() => wanted && setLoaded({ name, component: null, failed: true }));
    return () => {
      wanted = false;
    };
  }, [name]);
  if (loaded.name !== name) return html`<${Loading} />`;
  if (loaded.failed) return html`<${Title}>Not loaded<//><${Alert}><p>This screen did not load. Reload the page.</p><//>`;
  return html`<${loaded.component} key=${rest.join("/")} rest=${rest} session=${session} />`;
}

function App({ refused }) {
  const [session, setSession] = useState(current());
  const [refusal, setRefusal] = useState(refused);
  const [place, setPlace] = useState(open());
  useEffect(() => {
    const moved = () => {
      setPlace(open());
      window.scrollTo(0, 0);
      requestAnimationFrame(() => document.querySelector("h1")?.focus({ preventScroll: true }));
    };
    const ended = () => {
      setSession(null);
      setRefusal("Your session has ended. Sign in again.");
    };
    window.addEventListener("hashchange", moved);
    window.addEventListener("signed-out", ended);
    return () => {
      window.removeEventListener("hashchange", moved);
      window.removeEventListener("signed-out", ended);
    };
  }, []);
  if (session === null) return html`<${Welcome} refusal=${refusal} />`;
  const menu = menuOf(session.role);
  const allowed = [...menu.map(({ name }) => name), ...HIDDEN];
  const name = allowed.includes(place[0]) ? place[0] : menu[0].name;
  const rest = allowed.includes(place[0]) ? place.slice(1) : [];
  return html`
    <button type="button" class="skip" onClick=${() => document.querySelector("h1")?.focus()}>Skip to content</button>
    <header class="bar">
      <a class="brand" href=${`#/${menu[0].name}`}>Mintline</a>
      <span class="who">${session.role === "operator" && session.name !== "operator" ? `${session.name} · operator` : session.name}</span>
      <button type="button" class="quiet" onClick=${signOut}>Sign out</button>
    </header>
    <div class="frame">
      <${Menu} role=${session.role} screen=${name} />
      <main id="main"><${Screen} name=${name} rest=${rest} session=${session} /></main>
    </div>`;
}

const refused = await finishSignIn();
render(html`<${App} refused=${refused} />`, document.getElementById("app"));
