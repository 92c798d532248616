/** What was tried from a pod beside what was predicted: which requests tell, and what their answers mean. */
import type { Change, Explanation } from "./explanation.ts";
import { worldOf } from "./world.ts";
import type { Snapshot } from "./snapshot.ts";
import { parseTarget } from "./target.ts";
import { joinHostPort } from "../../lib/ip.ts";

/** One attempt: the target itself, or an endpoint past the Service. */
export interface Attempt {
  readonly what: "target" | "endpoint";
  /** `http://web.shop:80/`; whatever answers there, HTTP or not, a connection is one. */
  readonly url: string;
}

/** How it went. */
export interface Happened extends Attempt {
  readonly connected: boolean;
  /** `HTTP 200`, `ECONNREFUSED` */
  readonly answer: string;
}

export interface LiveExplanation extends Explanation {
  readonly live: { readonly agrees: boolean; readonly attempts: readonly Happened[] };
}

/** More would take long. */
const mostEndpoints = 10;

/** What to try. Nothing where no connection is meant: a name alone, an Ingress by its name. */
export function attemptsFor(snapshot: Snapshot, { target, from, endpoints }: Explanation): readonly Attempt[] {
  const direct = endpoints.slice(0, mostEndpoints).map((endpoint): Attempt => ({ what: "endpoint", url: `http://${endpoint}/` }));
  return [...urlsOf(snapshot, target, from.namespace).map((url): Attempt => ({ what: "target", url })), ...direct];
}

function urlsOf(snapshot: Snapshot, text: string, namespace: string): readonly string[] {
  const target = parseTarget(text);
  switch (target.kind) {
    case "url":
      return [`http://${joinHostPort(target.host, target.port)}${target.rawPath}`];
    case "name":
      return target.port === undefined || target.protocol !== "TCP" ? [] : [`http://${joinHostPort(target.name, target.port)}/`];
    case "address":
      return target.port === undefined || target.protocol !== "TCP" ? [] : [`http://${joinHostPort(target.address, target.port)}/`];
    case "object": {
      if (target.object !== "Service") return [];
      const where = target.namespace ?? namespace;
      const service = worldOf(snapshot).service(where, target.name);
      const ports = (service?.spec?.ports ?? []).filter(
        ({ port, protocol = "TCP" }) => protocol === "TCP" && (target.port === undefined || port === target.port),
      );
      return ports.map(({ port }) => `http://${target.name}.${where}:${port}/`);
    }
    default:
      return [];
  }
}

/** The verdict after it was tried: that of the objects where both agree, else what was seen. */
export function withLive(explanation: Explanation, attempts: readonly Happened[]): LiveExplanation {
  const targets = attempts.filter(({ what }) => what === "target");
  const dead = attempts.filter(({ what, connected }) => what === "endpoint" && !connected);
  const worked = targets.every(({ connected }) => connected);
  const agrees = worked === explanation.ok && dead.length === 0;
  const live = { agrees, attempts };
  if (agrees || targets.length + dead.length === 0) return { ...explanation, live };
  const [first] = dead;
  const { target, from } = explanation;
  if (first !== undefined) {
    const verdict = `${target} from ${from.text} was tried: ${dead.map(({ url, answer }) => `${hostOf(url)} (${answer})`).join(", ")} does not answer though it is ready.`;
    return { ...explanation, ok: false, code: "PodRefuses", verdict, changes: listenChanges(first.url), live };
  }
  const failed = targets.filter(({ connected }) => connected !== explanation.ok);
  const seen = failed.map(({ url, answer }) => `${url}: ${answer}`).join(", ");
  const verdict = explanation.ok
    ? `${target} from ${from.text} should arrive and did not when it was tried (${seen}): look at the node's network, a firewall, or the proxy's rules.`
    : `${target} from ${from.text} should not arrive and did when it was tried (${seen}): the objects say ${explanation.code}.`;
  return { ...explanation, ok: worked, code: "LiveDiffers", verdict, changes: [], live };
}

const hostOf = (url: string): string => url.slice("http://".length).replace(/\/$/, "");

function listenChanges(url: string): readonly Change[] {
  const port = /:(\d+)\/$/.exec(url)?.[1] ?? "";
  return [
    { text: `Let the program listen at 0.0.0.0 (or ::) and not at 127.0.0.1: only its own pod reaches it there` },
    { text: `Let it listen at port ${port}, or set targetPort to the port at which it does` },
  ];
}

/** An error that means that nobody was there; any other, such as an answer that is no HTTP, means that somebody was. */
export function isConnected(error: string | undefined): boolean {
  return (
    error === undefined || !/^(ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|refused|timeout|unresolved)/.test(error)
  );
}
