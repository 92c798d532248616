/**
 * Who a request is from when proxies that are trusted stand before us: what they say in `X-Forwarded-For` (or RFC 7239's `Forwarded`) is
 * read from its end, as long as each hop is trusted; the first that is not is the client. Whatever others claim is dropped.
 */
import { parseIp } from "../../lib/ip.ts";
import { inRanges } from "./address-ranges.ts";
import type { ClientInfo, ProxiedRequest } from "./client-side.ts";

type Header = ProxiedRequest["header"];

/** `trusted`: ranges of addresses. Gives `client` itself when it is no trusted hop, or says nothing. */
export function trustedClient(client: ClientInfo, header: Header, trusted: readonly string[]): ClientInfo {
  if (trusted.length === 0 || !inRanges(trusted, client.address)) return client;
  const forwarded = parseForwarded(header("forwarded"));
  const named = forwarded.length > 0 ? forwarded.map(({ from }) => from) : list(header("x-forwarded-for")).map(addressOf);
  const hops: string[] = [client.address];
  for (const address of named.toReversed()) {
    // A hop that cannot be read ends what can be believed.
    if (address === undefined) break;
    hops.unshift(address);
    if (!inRanges(trusted, address)) break;
  }
  // Said by the hop that is believed last; what stands before it may be the client's own claim.
  const believed = hops.length - 1;
  const said = (believed > 0 ? forwarded.at(-believed)?.scheme : undefined) ?? list(header("x-forwarded-proto")).at(-1)?.toLowerCase();
  const scheme = said === "http" || said === "https" ? said : client.scheme;
  return { ...client, address: hops[0] as string, scheme, ...(hops.length > 1 ? { hops } : {}) };
}

function list(value: string | undefined): readonly string[] {
  return (value ?? "").split(",").flatMap((text) => (text.trim() === "" ? [] : [text.trim()]));
}

interface ForwardedHop {
  readonly from: string | undefined;
  readonly scheme: string | undefined;
}

/** RFC 7239 4: `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"`. */
function parseForwarded(value: string | undefined): readonly ForwardedHop[] {
  return list(value).map((element) => {
    const pairs = new Map(
      element.split(";").map((pair) => {
        const equals = pair.indexOf("=");
        return [
          pair.slice(0, Math.max(equals, 0)).trim().toLowerCase(),
          pair
            .slice(equals + 1)
            .trim()
            .replace(/^"(.*)"$/, "$1"),
        ] as const;
      }),
    );
    return { from: addressOf(pairs.get("for") ?? ""), scheme: pairs.get("proto")?.toLowerCase() };
  });
}

/** An address with or without its port: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`. */
function addressOf(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([^:]*):\d+$/.exec(text)?.[1] ?? text;
  return parseIp(bare) === undefined ? undefined : bare;
}
