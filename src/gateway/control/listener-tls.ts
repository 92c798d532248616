/** From what Gateways name to what the engine needs for TLS: certificates from Secrets, CA bundles from ConfigMaps. */
import { X509Certificate } from "node:crypto";
import type { ConfigMap, Secret } from "../../api/types.ts";
import { hostPattern, suffixMatches } from "../../decide/routes/index.ts";
import type { GatewayPort, NamedObject, PlannedListener } from "../../decide/routes/gateway-api/index.ts";
import { readSecret } from "../certificates.ts";
import type { ListenerTls, ServedCertificate } from "../engine/engine.ts";

export interface TlsSources {
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  readonly configMap: (namespace: string, name: string) => ConfigMap | undefined;
}

/** Undefined: the port has no TLS of ours. */
export function listenerTls(
  { protocol, listeners, clients, backendCertificate }: GatewayPort,
  sources: TlsSources,
): ListenerTls | undefined {
  const shown = backendCertificate === undefined ? undefined : pairOf(backendCertificate, sources);
  const toBackends = shown === undefined ? {} : { toBackends: shown };
  if (protocol !== "HTTPS" && protocol !== "TLS") return shown === undefined ? undefined : { certificates: [], ...toBackends };
  const ca = (clients?.bundles ?? []).map(({ namespace, name }) => sources.configMap(namespace, name)?.data?.["ca.crt"] ?? "").join("\n");
  return {
    certificates: certificatesOf(listeners, sources),
    ...(clients === undefined ? {} : { clients: { ca, insecureFallback: clients.insecureFallback } }),
    ...toBackends,
  };
}

function pairOf({ namespace, name }: NamedObject, { secret }: TlsSources): { readonly cert: string; readonly key: string } | undefined {
  const found = secret(namespace, name);
  const read = found === undefined ? "missing" : readSecret(found);
  return typeof read === "string" ? undefined : { cert: read.cert, key: read.key };
}

/** A listener's first certificate is for its host; each is also for the names in it that are the listener's ("the longest matching SNI"). */
function certificatesOf(listeners: readonly PlannedListener[], sources: TlsSources): readonly ServedCertificate[] {
  const served = new Map<string, ServedCertificate>();
  const named: ServedCertificate[] = [];
  for (const { host, certificates } of listeners) {
    for (const [index, each] of certificates.entries()) {
      const pair = pairOf(each, sources);
      if (pair === undefined) continue;
      if (index === 0 && !served.has(host)) served.set(host, { host, ...pair });
      if (certificates.length > 1) named.push(...namesOf(pair.cert, host).map((name) => ({ host: name, ...pair })));
    }
  }
  for (const each of named) if (!served.has(each.host)) served.set(each.host, each);
  return [...served.values()];
}

function namesOf(pem: string, host: string): readonly string[] {
  const names = (new X509Certificate(pem).subjectAltName ?? "")
    .split(", ")
    .flatMap((text) => (text.startsWith("DNS:") ? [text.slice(4)] : []));
  return names.flatMap((name) => hostPattern(name) ?? []).filter((name) => suffixMatches(host, name));
}
