/** The key half of this page's session (src/console/session.ts). It lives in this origin's storage; the other half is a cookie. */

const storageKey = "fairlead-console-key";

export type SessionResult = { readonly kind: "ready" } | { readonly kind: "none"; readonly why: string };

/** Exchanges the token of the address bar, if there is one, and takes it out of there before anything else happens. */
export async function beginSession(): Promise<SessionResult> {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined)
    return localStorage.getItem(storageKey) === null ? { kind: "none", why: "This page has no session yet." } : { kind: "ready" };
  history.replaceState(null, "", location.pathname + location.search);
  const response = await fetch("/console/session", { method: "POST", body: JSON.stringify({ token }) });
  const { key, error } = (await response.json()) as { readonly key?: string; readonly error?: string };
  if (key === undefined) return { kind: "none", why: error ?? "The token was refused." };
  localStorage.setItem(storageKey, key);
  return { kind: "ready" };
}

/** A request with both halves. */
export function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(path, { ...init, headers: { "x-fairlead-console": localStorage.getItem(storageKey) ?? "" } });
}
