/** `WWW-Authenticate` of a registry (RFC 9110 §11.6.1; distribution-spec auth/token). Pure. */

export type Challenge =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

/** The first scheme that is known here; undefined where none is. */
export function parseChallenge(header: string): Challenge | undefined {
  const match = /(?:^|,)\s*(basic|bearer)(?:\s+|$)/i.exec(header);
  if (match === null) return undefined;
  if (match[1]?.toLowerCase() === "basic") return { scheme: "basic" };
  const parameters = new Map<string, string>();
  const pattern = /\s*([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/giy;
  pattern.lastIndex = match.index + match[0].length;
  for (let found = pattern.exec(header); found !== null; found = pattern.exec(header)) {
    parameters.set((found[1] as string).toLowerCase(), found[2]?.replace(/\\(.)/g, "$1") ?? found[3] ?? "");
  }
  const realm = parameters.get("realm");
  const service = parameters.get("service");
  const scope = parameters.get("scope");
  if (realm === undefined) return undefined;
  return { scheme: "bearer", realm, ...(service === undefined ? {} : { service }), ...(scope === undefined ? {} : { scope }) };
}

/** Where the token is had. Throws TypeError for a realm that is no address. */
export function tokenUrl({ realm, service, scope }: Extract<Challenge, { scheme: "bearer" }>, repository: string): URL {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", scope ?? `repository:${repository}:pull`);
  return url;
}
