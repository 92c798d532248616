/**
 * What two API servers may tell differently about the same request: identities, times, revisions, and addresses and ports
 * that each chose by itself. Everything else must be the same.
 */

type Json = unknown;

const perServer: ReadonlySet<string> = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "time",
  "deletionTimestamp",
  "remainingItemCount",
]);

/** `asked`: the text of all that was sent so far; what occurs in it was not chosen by the server. */
export function normalized(value: Json, asked: string): Json {
  return walk(value, asked, undefined);
}

function walk(value: Json, asked: string, key: string | undefined): Json {
  if (Array.isArray(value)) return value.map((item) => walk(item, asked, key));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !perServer.has(name))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, child]) => [name, walk(child, asked, name)]),
    );
  if (typeof value === "string") return text(value, asked, key);
  if (typeof value === "number" && /nodeport$/i.test(key ?? "") && value !== 0 && !asked.includes(String(value))) return "a port";
  return value;
}

function text(value: string, asked: string, key: string | undefined): string {
  if ((key === "clusterIP" || key === "clusterIPs") && value !== "None" && value !== "" && !asked.includes(`"${value}"`))
    return value.includes(":") ? "an IPv6 address" : "an IPv4 address";
  if (key !== "message") return value;
  return value
    .replace(/\b10\.96\.\d+\.\d+\b/g, (found) => (asked.includes(found) ? found : "an IPv4 address"))
    .replace(/fd00:10:96::[0-9a-f:]+/g, (found) => (asked.includes(found) ? found : "an IPv6 address"))
    .replace(/\b3[0-2]\d{3}\b/g, (found) => (asked.includes(found) ? found : "a port"));
}
