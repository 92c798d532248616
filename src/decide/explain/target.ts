/** What a person asks about, read from one word. */
import { canonicalIp, parseIp } from "../../lib/ip.ts";
import type { Protocol } from "../proxy/plan.ts";

export type Target =
  | { readonly kind: "url"; readonly scheme: "http" | "https"; readonly host: string; readonly port: number; readonly rawPath: string }
  | { readonly kind: "name"; readonly name: string; readonly port?: number; readonly protocol: Protocol }
  | { readonly kind: "address"; readonly address: string; readonly port?: number; readonly protocol: Protocol }
  | {
      readonly kind: "object";
      readonly object: "Service" | "Pod" | "Ingress" | "HTTPRoute" | "GRPCRoute";
      readonly name: string;
      readonly namespace?: string;
      readonly port?: number;
    }
  | { readonly kind: "unreadable"; readonly why: string };

/** Words of kubectl → kinds. */
const objectWords: Readonly<Record<string, Extract<Target, { kind: "object" }>["object"]>> = {
  svc: "Service",
  service: "Service",
  services: "Service",
  po: "Pod",
  pod: "Pod",
  pods: "Pod",
  ing: "Ingress",
  ingress: "Ingress",
  ingresses: "Ingress",
  httproute: "HTTPRoute",
  httproutes: "HTTPRoute",
  grpcroute: "GRPCRoute",
  grpcroutes: "GRPCRoute",
};

export function parseTarget(text: string): Target {
  if (/^https?:\/\//i.test(text)) return parseUrl(text);
  const [, word = "", object = ""] = /^([a-z]+)\/(.+)$/i.exec(text) ?? [];
  // `web/tcp` is a name with its protocol.
  const kind = isProtocol(object) ? undefined : objectWords[word.toLowerCase()];
  if (kind !== undefined) return parseObject(kind, object);
  return parsePlace(text);
}

function parseUrl(text: string): Target {
  // Not by `URL`, which would tidy the path before the gateway's own rules see it.
  const [, scheme = "", authority = "", rawPath = ""] = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? [];
  const place = /^(?:[^@]*@)?(\[[^\]]+\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority);
  const host = place?.[1] ?? "";
  const secure = scheme.toLowerCase() === "https";
  const port = Number(place?.[2] ?? (secure ? 443 : 80));
  if (host === "" || port > 65_535) return { kind: "unreadable", why: `${text} is no URL: http://web.shop:8080/cart would be one` };
  return {
    kind: "url",
    scheme: secure ? "https" : "http",
    host: host.replace(/^\[|\]$/g, ""),
    port,
    rawPath: rawPath === "" ? "/" : rawPath,
  };
}

/** `web`, `shop/web`, `web:8080`. */
function parseObject(object: Extract<Target, { kind: "object" }>["object"], text: string): Target {
  const [, namespace, name = "", port] = /^(?:([^/:]+)\/)?([^/:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (name === "") return { kind: "unreadable", why: `${text} names no ${object}` };
  return {
    kind: "object",
    object,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

/** `web`, `web.shop:80`, `10.96.0.7:53/udp`, `[fd00::7]:80`, `fd00::7`. */
function parsePlace(text: string): Target {
  const [, rest = "", suffix] = /^(.*?)(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const protocol = (suffix?.toUpperCase() ?? "TCP") as Protocol;
  const bare = parseIp(rest) !== undefined;
  const [, bracketed, plain, port] = bare
    ? [undefined, undefined, rest, undefined]
    : (/^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(rest) ?? []);
  const host = bracketed ?? plain ?? "";
  if (host === "" || Number(port ?? 0) > 65_535 || /[\s/]/.test(host)) {
    return { kind: "unreadable", why: `${text} is no URL, name, address or KIND/NAME` };
  }
  const at = { protocol, ...(port === undefined ? {} : { port: Number(port) }) };
  return parseIp(host) === undefined ? { kind: "name", name: host, ...at } : { kind: "address", address: canonicalIp(host), ...at };
}

const isProtocol = (text: string): boolean => /^(tcp|udp|sctp)$/i.test(text);
