/** SkyDNS' layout: names as paths from the root down, JSON as values (CoreDNS `plugin/etcd/msg`). */
import { labelsOf } from "../../../decide/dns/name.ts";
import type { KeyValue } from "./client.ts";

export interface SkydnsService {
  /** The name of the key. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  /** 0: not said. */
  readonly weight: number;
  readonly text: string;
  readonly mail: boolean;
  readonly ttl: number;
  readonly targetStrip: number;
  readonly group: string;
  readonly lease: string;
}

const defaultPriority = 10;

/** `/skydns/local/skydns/web` for `web.skydns.local.`; `wild`: a label was `*` or `any`, the path ends before it. */
export function pathOf(name: string, prefix: string): { readonly path: string; readonly wild: boolean } {
  const labels = labelsOf(name).reverse();
  const at = labels.findIndex((label) => label === "*" || label === "any");
  return { path: ["", prefix.replace(/^\/|\/$/g, ""), ...(at < 0 ? labels : labels.slice(0, at))].join("/"), wild: at >= 0 };
}

/** The name of a key. */
export function nameOf(key: string, prefix: string): string {
  const labels = key.split("/").filter(Boolean).slice(prefix.split("/").filter(Boolean).length);
  return `${labels.reverse().join(".")}.`;
}

/** Whether the key could be the name with its wildcards filled in. */
export function matchesWildcard(key: string, name: string, prefix: string): boolean {
  const have = key.split("/").filter(Boolean).slice(prefix.split("/").filter(Boolean).length);
  const wanted = labelsOf(name).reverse();
  return wanted.every((label, i) => have[i] !== undefined && (label === "*" || label === "any" || have[i] === label));
}

/** Throws SyntaxError for a value that is no JSON object. */
export function parseService({ key, value, lease }: KeyValue, prefix: string): SkydnsService {
  const raw = JSON.parse(value) as Readonly<Record<string, unknown>>;
  const text = (name: string) => (typeof raw[name] === "string" ? raw[name] : "");
  const number = (name: string) => (typeof raw[name] === "number" ? raw[name] : 0);
  return {
    name: nameOf(key, prefix),
    host: text("host"),
    port: number("port"),
    priority: number("priority") || defaultPriority,
    weight: number("weight"),
    text: text("text"),
    mail: raw["mail"] === true,
    ttl: number("ttl"),
    targetStrip: number("targetstrip"),
    group: text("group"),
    lease,
  };
}

/** Services of another group than the topmost one are left out; groups count only where the topmost has one. */
export function groupOf(services: readonly SkydnsService[]): readonly SkydnsService[] {
  const depth = (service: SkydnsService) => labelsOf(service.name).length;
  const [first] = [...services].sort((a, b) => depth(a) - depth(b));
  if (first === undefined || first.group === "") return services;
  return services.filter(({ group }) => group === first.group || group === "");
}
