/** The kernel's own NAT behind `EgressNat`: nftables and conntrack over netlink, SO_ORIGINAL_DST. */
import { openConntrack, originalDestination as udpDestination } from "../../host/conntrack/conntrack.ts";
import type { Fabric } from "../../host/namespaces/namespaces.ts";
import { adoptNetlink, NETLINK_NETFILTER } from "../../host/netlink/socket.ts";
import { installEgress } from "../../host/nftables/egress.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { originalDestination as tcpDestination } from "../../host/syscalls/original-destination.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { EgressNat, ListenerPair } from "./nat.ts";

/** Throws FL_UNSUPPORTED without FFI. */
export async function createKernelNat(fabric: Pick<Fabric, "netlink">): Promise<EgressNat> {
  const libc = loadLibc();
  if (libc === undefined) throw new FairleadError("FL_UNSUPPORTED", "the way out of the cluster needs FFI (the package koffi)");
  const nftables = openNftables(adoptNetlink(libc, await fabric.netlink(NETLINK_NETFILTER)));
  const conntrack = openConntrack(adoptNetlink(libc, await fabric.netlink(NETLINK_NETFILTER)));
  return {
    async redirect({ tcp, udp }, rules) {
      installEgress(nftables, { tcp: list(tcp), udp: list(udp), ...rules });
    },
    tcpDestination: (fd, family) => tcpDestination(libc, fd, family),
    udpDestination(client, local) {
      const found = udpDestination(conntrack, {
        client: { ip: client.address, port: client.port },
        local: { ip: local.address, port: local.port },
      });
      return found === undefined ? undefined : { address: found.ip, port: found.port };
    },
    close() {
      nftables.close();
      conntrack.close();
    },
  };
}

const list = (pair: ListenerPair) => Object.values(pair);
