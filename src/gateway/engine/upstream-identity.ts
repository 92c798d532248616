/** Whether an endpoint's certificate is that of whom we want to reach (BackendTLSPolicy, GEP-1897). */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { UpstreamTls } from "../../decide/routes/index.ts";

/** "If SubjectAltNames is specified, Hostname MUST NOT be used for authentication." */
export function identityFault({ serverName, names, unverified }: UpstreamTls, peer: PeerCertificate): Error | undefined {
  if (unverified === true) return undefined;
  if (names.length === 0) return checkServerIdentity(serverName, peer);
  const uris = new Set((peer.subjectaltname ?? "").split(", ").flatMap((text) => (text.startsWith("URI:") ? [text.slice(4)] : [])));
  const isNamed = names.some(({ kind, value }) => (kind === "uri" ? uris.has(value) : checkServerIdentity(value, peer) === undefined));
  return isNamed ? undefined : Object.assign(new Error("the certificate has none of the names"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
}
