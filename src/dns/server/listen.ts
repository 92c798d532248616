/** The listeners of one server group, by its transport. */
import { errnoCode, FairleadError } from "../../lib/errors.ts";
import type { Transport } from "../corefile/zones.ts";
import { listenBatch } from "./batch/batch-listener.ts";
import { listenGrpc } from "./grpc-listener.ts";
import { listenHttps } from "./https-listener.ts";
import type { Listener, ListenerOptions } from "./listener.ts";
import { listenTcp, listenTls } from "./tcp-listener.ts";
import { listenUdp } from "./udp-listener.ts";

/** Throws FL_LISTEN. */
export async function listen(transport: Transport, options: ListenerOptions): Promise<Listener> {
  switch (transport) {
    case "tls":
      return await listenTls(options);
    case "https":
      return await listenHttps(options);
    case "grpc":
      return await listenGrpc(options);
    case "dns":
    case "quic":
    case "https3":
    case "unix":
      return await listenDns(options);
  }
}

/** The kernel gives a free TCP port; that the same number is free for UDP is likely, no more. */
const triesForAny = 10;

/** UDP and TCP on one port; `port` 0 takes the same free one for both. */
async function listenDns(options: ListenerOptions, tries = options.port === 0 ? triesForAny : 1): Promise<Listener> {
  const tcp = await listenTcp(options);
  try {
    const datagrams = { ...options, port: tcp.port };
    const udp = (await listenBatch(datagrams)) ?? (await listenUdp(datagrams));
    const forget = udp.forget === undefined ? {} : { forget: () => udp.forget?.() };
    return { host: options.host, port: tcp.port, ...forget, close: async () => void (await Promise.all([tcp.close(), udp.close()])) };
  } catch (error) {
    await tcp.close();
    const taken = error instanceof FairleadError && errnoCode(error.cause) === "EADDRINUSE";
    if (taken && tries > 1) return await listenDns(options, tries - 1);
    throw error;
  }
}
