/** Who a client is: user and password of the proxy's URL name a pod. */
import type { ClientPod } from "./target.ts";

export type Identify = (user: string, password: string) => ClientPod | undefined;

/** `Proxy-Authorization: Basic …` (RFC 7617); undefined: no credentials, or not known ones. */
export function identifyBasic(header: string | undefined, identify: Identify): ClientPod | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : identify(text.slice(0, colon), text.slice(colon + 1));
}
