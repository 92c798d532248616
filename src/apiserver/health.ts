/** `/healthz`, `/livez`, `/readyz`: a text for people, a status for machines (apiserver `pkg/server/healthz`). */
import type { ApiResponse } from "../api/request.ts";
import type { Readiness } from "../component/component.ts";

/** Name → whether it is well. */
export type HealthChecks = ReadonlyMap<string, Readiness>;

const roots = ["/healthz", "/livez", "/readyz"];

export const isHealthPath = (path: string): boolean => roots.some((root) => path === root || path.startsWith(`${root}/`));

/** `path` is one of the roots or a single check below it; undefined when there is no such check. */
export function health(path: string, query: URLSearchParams, checks: HealthChecks): ApiResponse | undefined {
  const [root = "", single] = path.slice(1).split("/", 2);
  if (single !== undefined && single !== "") {
    const check = checks.get(single);
    return check === undefined ? undefined : check.ready ? text(200, "ok") : text(500, `internal server error: ${check.reason}\n`);
  }
  const excluded = new Set(query.getAll("exclude"));
  const asked = [...checks].filter(([name]) => !excluded.has(name));
  const failed = asked.filter(([, check]) => !check.ready);
  if (failed.length === 0 && !query.has("verbose")) return text(200, "ok");
  const lines = asked.map(([name, check]) => (check.ready ? `[+]${name} ok\n` : `[-]${name} failed: ${check.reason}\n`));
  const verdict = failed.length === 0 ? "passed" : "failed";
  return text(failed.length === 0 ? 200 : 500, `${lines.join("")}${root} check ${verdict}\n`);
}

function text(status: number, body: string): ApiResponse {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", "cache-control": "no-cache, private" },
    body: { kind: "bytes", bytes: Buffer.from(body) },
  };
}
