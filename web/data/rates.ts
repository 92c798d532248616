/** From counts since a start to how many a second now. Pure. */
import type { Counters } from "../../src/console/wire.ts";

export interface Rates {
  /** `ns/name` → new connections a second, of the proxy. */
  readonly service: ReadonlyMap<string, number>;
  /** `ns/name ip` → the same. */
  readonly endpoint: ReadonlyMap<string, number>;
  /** `ns/ingress` → requests a second, of the gateway. */
  readonly ingress: ReadonlyMap<string, number>;
  /** Of these, answered with 5xx. */
  readonly failed: ReadonlyMap<string, number>;
  /** Questions a second. */
  readonly dns: number;
}

export const noRates: Rates = { service: new Map(), endpoint: new Map(), ingress: new Map(), failed: new Map(), dns: 0 };

export function ratesBetween(before: Counters, after: Counters): Rates {
  const seconds = (after.at - before.at) / 1000;
  if (seconds <= 0) return noRates;
  const service = new Map<string, number>();
  const endpoint = new Map<string, number>();
  const earlier = new Map((before.proxy ?? []).map((each) => [`${each.servicePort} ${each.endpoint}`, each.connections]));
  for (const { servicePort, endpoint: at, connections } of after.proxy ?? []) {
    const rate = grown(connections, earlier.get(`${servicePort} ${at}`)) / seconds;
    if (rate === 0) continue;
    const key = serviceKey(servicePort);
    add(service, key, rate);
    add(endpoint, `${key} ${addressOf(at)}`, rate);
  }
  const ingress = new Map<string, number>();
  const failed = new Map<string, number>();
  const answered = new Map((before.gateway ?? []).map((each) => [`${each.ingress} ${each.code}`, each.requests]));
  for (const { ingress: key, code, requests } of after.gateway ?? []) {
    const rate = grown(requests, answered.get(`${key} ${code}`)) / seconds;
    if (rate === 0) continue;
    add(ingress, key, rate);
    if (code.startsWith("5")) add(failed, key, rate);
  }
  const dns = grown(after.dns?.top.queries ?? 0, before.dns?.top.queries) / seconds;
  return { service, endpoint, ingress, failed, dns };
}

/** A count that fell began anew. */
function grown(now: number, before = 0): number {
  return now >= before ? now - before : now;
}

function add(to: Map<string, number>, key: string, by: number): void {
  to.set(key, (to.get(key) ?? 0) + by);
}

/** `10.0.0.1:80` → `10.0.0.1`, `[fd00::1]:80` → `fd00::1` */
function addressOf(text: string): string {
  return text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

/** `shop/web:http` → `shop/web` */
export function serviceKey(servicePort: string): string {
  const colon = servicePort.indexOf(":");
  return colon < 0 ? servicePort : servicePort.slice(0, colon);
}

/** `12`, `3.4`, `0.2` a second. */
export function rateText(rate: number): string {
  return rate >= 10 ? String(Math.round(rate)) : rate.toFixed(1);
}
