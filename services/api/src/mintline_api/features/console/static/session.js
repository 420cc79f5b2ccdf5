// Sign-in by the OAuth authorization code flow with PKCE (RFC 6749, 4.1; RFC 7636). Tokens are kept in
// sessionStorage, which ends with the tab, and never in an address.
export const config = JSON.parse(document.getElementById("config").textContent);

const FLOW = "mintline.flow";
const SESSION = "mintline.session";
const REFRESH_MS = 60_000;
const HERE = location.origin + location.pathname;

let session = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
let refreshing = null;

export const current = () => session;
export const roles = () => ["user", "operator"].filter((role) => config[role]);

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const random = (bytes) => base64url(crypto.getRandomValues(new Uint8Array(bytes)));

export async function signIn(role) {
  const verifier = random(48);
  const state = random(16);
  sessionStorage.setItem(FLOW, JSON.stringify({ role, verifier, state, hash: location.hash }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const asked = new URLSearchParams({
    response_type: "code",
    client_id: config[role].client_id,
    redirect_uri: HERE,
    scope: config[role].scopes.join(" "),
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  const address = config.authorization_endpoint;
  location.assign(`${address}${address.includes("?") ? "&" : "?"}${asked}`);
}

// Takes the code out of the address, if the sign-in page has just sent one; returns an error's text or null.
export async function finishSignIn() {
  const returned = new URLSearchParams(location.search);
  if (!returned.has("code") && !returned.has("error")) return null;
  const flow = JSON.parse(sessionStorage.getItem(FLOW) ?? "null");
  sessionStorage.removeItem(FLOW);
  history.replaceState(null, "", location.pathname + (flow?.hash ?? ""));
  if (returned.has("error")) return returned.get("error_description") ?? returned.get("error");
  if (flow === null || flow.state !== returned.get("state")) return "The sign-in did not begin in this tab. Sign in again.";
  try {
    await exchange(flow.role, {
      grant_type: "authorization_code",
      code: returned.get("code"),
      redirect_uri: HERE,
      code_verifier: flow.verifier,
    });
    return null;
  } catch (error) {
    return error.message;
  }
}

// The claims of an ID token, whose text is UTF-8 in base64url; none without a token.
export function claims(token) {
  if (!token) return {};
  const bytes = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))));
}

async function exchange(role, form) {
  const response = await fetch(config.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({ ...form, client_id: config[role].client_id }),
  });
  const told = await response.json();
  if (!response.ok) throw new Error(`The sign-in was refused: ${told.error_description ?? told.error ?? response.status}`);
  const named = claims(told.id_token);
  keep({
    role,
    name: named["cognito:username"] ?? named.preferred_username ?? named.email ?? session?.name ?? "",
    access: told.access_token,
    refresh: told.refresh_token ?? form.refresh_token ?? null,
    until: Date.now() + told.expires_in * 1000,
  });
}

function keep(value) {
  session = value;
  if (value === null) sessionStorage.removeItem(SESSION);
  else sessionStorage.setItem(SESSION, JSON.stringify(value));
}

// Returns a token that is good for a minute at least; null if the user has to sign in again.
export async function accessToken() {
  if (session === null) return null;
  if (session.until - Date.now() > REFRESH_MS) return session.access;
  if (session.refresh === null) return session.until > Date.now() ? session.access : end();
  refreshing ??= exchange(session.role, { grant_type: "refresh_token", refresh_token: session.refresh })
    .catch((error) => (error instanceof TypeError ? null : end()))
    .finally(() => (refreshing = null));
  await refreshing;
  return session?.access ?? null;
}

export function end() {
  keep(null);
  window.dispatchEvent(new Event("signed-out"));
  return null;
}

// Ends the session here and, if it has an address for that, at the sign-in page.
export function signOut() {
  const role = session?.role ?? "user";
  keep(null);
  if (config.sign_out_url === null) return end();
  const asked = new URLSearchParams({ client_id: config[role].client_id, [config.sign_out_parameter]: HERE });
  location.assign(`${config.sign_out_url}?${asked}`);
}
