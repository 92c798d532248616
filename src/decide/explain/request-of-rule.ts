/** A request that a rule is for, made from the rule. */
import type { Question } from "./explanation.ts";
import type { RouteWorld } from "./route-world.ts";
import type { ObjectRef, Snapshot } from "./snapshot.ts";
import type { HttpRequest } from "./through-route.ts";
import type { HttpRoute } from "../routes/gateway-api/objects.ts";

export interface Match {
  readonly request: HttpRequest;
  readonly question: Pick<Question, "method" | "headers">;
}

/** One for each rule of an Ingress or route that could be compiled; patterns stand for themselves where they hold no signs. */
export function requestsOf(snapshot: Snapshot, { listeners }: RouteWorld, ref: ObjectRef): readonly Match[] {
  if (ref.kind === "Ingress") return ofIngress(snapshot, ref);
  const route = [...snapshot.httpRoutes, ...snapshot.grpcRoutes].find(
    ({ metadata }) => metadata.namespace === ref.namespace && metadata.name === ref.name,
  );
  const [host = "any.example"] = route?.spec.hostnames ?? [];
  const secure = listeners.every(({ listener, port }) => port === undefined || listener.protocol === "HTTPS");
  const base = { scheme: secure ? ("https" as const) : ("http" as const), host: concrete(host), port: secure ? 443 : 80 };
  if (route?.kind !== "HTTPRoute") return [{ request: { ...base, rawPath: "/" }, question: { method: "POST" } }];
  return (route.spec.rules ?? []).flatMap(({ matches = [{}] }) => matches.map((match) => ofHttpMatch(base, match)));
}

type HttpMatch = NonNullable<NonNullable<HttpRoute["spec"]["rules"]>[number]["matches"]>[number];

function ofHttpMatch(base: Omit<HttpRequest, "rawPath">, { path, headers = [], queryParams = [], method }: HttpMatch): Match {
  const query = new URLSearchParams(queryParams.map(({ name, value }): [string, string] => [name, value])).toString();
  const fields = Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]));
  return {
    request: { ...base, rawPath: `${path?.value ?? "/"}${query === "" ? "" : `?${query}`}` },
    question: { ...(method === undefined ? {} : { method }), ...(headers.length === 0 ? {} : { headers: fields }) },
  };
}

function ofIngress({ ingresses }: Snapshot, ref: ObjectRef): readonly Match[] {
  const ingress = ingresses.find(({ metadata }) => metadata.namespace === ref.namespace && metadata.name === ref.name);
  const { rules = [], defaultBackend } = ingress?.spec ?? {};
  const found = rules.flatMap(({ host = "any.example", http }) =>
    (http?.paths ?? []).map(({ path = "/" }): Match => ({
      request: { scheme: "http", host: concrete(host), port: 80, rawPath: path },
      question: {},
    })),
  );
  const fallback: Match = {
    request: { scheme: "http", host: concrete(rules[0]?.host ?? "any.example"), port: 80, rawPath: "/any-other-path" },
    question: {},
  };
  return found.length === 0 && defaultBackend !== undefined ? [fallback] : found;
}

/** A host that a pattern takes. */
const concrete = (host: string): string => (host === "" || host === "*" ? "any.example" : host.replace(/^\*\./, "any."));
