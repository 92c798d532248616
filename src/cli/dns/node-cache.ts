/** `fairlead dns node-cache`: NodeLocal DNSCache. */
import { configMaps } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import { nodeCacheCorefile, nodeCacheTemplate, parseConfigMap, type NodeCacheConfig } from "../../dns/node-cache/corefile.ts";
import { notrackOperations, notrackText, removeOperations } from "../../dns/node-cache/notrack.ts";
import { addAddress, deleteAddress, loopbackIndex } from "../../host/netlink/route.ts";
import { commit, NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink } from "../../host/netlink/socket.ts";
import { NetlinkWriter } from "../../host/netlink/writer.ts";
import type { Libc } from "../../host/syscalls/libc.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import type { Operation } from "../../lib/nftables/ruleset.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { parseIp } from "../../lib/ip.ts";
import { createLogger } from "../../lib/log.ts";
import { connect } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import { findCorefile } from "./corefile.ts";
import { parseFlags, portFlag } from "./flags.ts";
import { createStandaloneServer, untilEnd } from "./serve.ts";

const table = {
  values: ["localip", "localport", "conf", "basecorefile", "upstreamsvc", "kubeconfig", "domain"],
  switches: ["check", "setupnetwork", "quiet"],
};

/** Resolves when it has ended and cleaned up. */
export async function nodeCache(words: readonly string[], terminal: Terminal): Promise<number> {
  const setUp = !words.some((word) => /^--?setupnetwork=false$/.test(word));
  const { values, switches } = parseFlags(words, table);
  const local = (values.get("localip") ?? "169.254.20.10").split(",").map((text) => text.trim());
  const wrong = local.find((address) => parseIp(address) === undefined);
  if (wrong !== undefined) throw new FairleadError("FL_USAGE", `-localip: ${JSON.stringify(wrong)} is no IP address`);
  const port = portFlag(values.get("localport"), 53);
  const template =
    values.has("conf") || values.has("basecorefile")
      ? findCorefile(values.get("conf") ?? values.get("basecorefile")).text
      : nodeCacheTemplate;
  const config = await configOf(values.get("kubeconfig"), terminal);
  const clusterDns = upstreamAddress(values.get("upstreamsvc") ?? "kube-dns-upstream");
  const text = nodeCacheCorefile(template, config, { local, port, clusterDns, domain: values.get("domain") ?? "cluster.local" });
  if (switches.has("check")) {
    terminal.print(`${text}\n# rules\n${notrackText(local, port)}`);
    return 0;
  }
  await serve(text, local, port, setUp);
  return 0;
}

async function serve(text: string, local: readonly string[], port: number, setUp: boolean): Promise<void> {
  const log = createLogger({ write: (line) => void process.stdout.write(line) });
  const corefile = { text, file: "Corefile", isFile: false };
  if (setUp) addNetwork(local, port);
  try {
    const server = createStandaloneServer(corefile, port, log);
    await server.start();
    await untilEnd(server, corefile, log);
  } finally {
    if (setUp) removeNetwork(local);
  }
}

function addNetwork(local: readonly string[], port: number): void {
  changeAddresses(local, "add");
  try {
    changeRules(notrackOperations(local, port));
  } catch (error) {
    removeNetwork(local);
    throw new FairleadError("FL_UNSUPPORTED", `rules that keep DNS out of connection tracking cannot be written: ${errorMessage(error)}`, {
      cause: error,
      hint: "It needs root (CAP_NET_ADMIN) and nf_tables. Set both up yourself and give -setupnetwork=false.",
    });
  }
}

function removeNetwork(local: readonly string[]): void {
  try {
    changeRules(removeOperations());
  } catch {
    // Where they cannot be written there are none.
  }
  changeAddresses(local, "delete");
}

function changeRules(operations: readonly Operation[]): void {
  const nftables = openNftables(openNetlink(needLibc(), NETLINK_NETFILTER));
  try {
    nftables.commit(operations);
  } finally {
    nftables.close();
  }
}

function needLibc(): Libc {
  const libc = loadLibc();
  if (libc !== undefined) return libc;
  throw new FairleadError("FL_UNSUPPORTED", "node-cache needs Linux and koffi to set addresses and rules", {
    hint: "Set them yourself and give -setupnetwork=false.",
  });
}

function changeAddresses(local: readonly string[], verb: "add" | "delete"): void {
  const socket = openNetlink(needLibc(), NETLINK_ROUTE);
  try {
    const writer = new NetlinkWriter();
    for (const address of local)
      (verb === "add" ? addAddress : deleteAddress)(writer, { address, index: loopbackIndex, neverSource: true });
    commit(socket, writer);
  } catch (error) {
    // What is gone already need not be taken away.
    if (verb === "add")
      throw new FairleadError("FL_UNSUPPORTED", `addresses cannot be added to loopback: ${errorMessage(error)}`, {
        cause: error,
        hint: "It needs root (CAP_NET_ADMIN).",
      });
  } finally {
    socket.close();
  }
}

/** The environment of a pod names the Services that were there when it started: `KUBE_DNS_UPSTREAM_SERVICE_HOST`. */
function upstreamAddress(service: string): string {
  const variable = `${service.toUpperCase().replaceAll("-", "_")}_SERVICE_HOST`;
  const address = parseIp(service) === undefined ? process.env[variable] : service;
  if (address === undefined) {
    throw new FairleadError("FL_USAGE", `the address of Service ${service} is not known: $${variable} is not set`, {
      hint: "Give it: -upstreamsvc ADDRESS, of a Service in front of the cluster's DNS pods other than the one that this cache takes over.",
    });
  }
  return address;
}

/** ConfigMap kube-system/kube-dns; without a cluster, or when it cannot be used: nothing. */
async function configOf(kubeconfig: string | undefined, terminal: Terminal): Promise<NodeCacheConfig> {
  if (kubeconfig === undefined) return {};
  const connection = await connect(kubeconfig);
  try {
    const { data = {} } = await connection.client.get(configMaps, { namespace: "kube-system", name: "kube-dns" });
    const config = parseConfigMap(data);
    if (typeof config !== "string") return config;
    terminal.note(`ConfigMap kube-system/kube-dns is not used: ${config}`);
    return {};
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  } finally {
    await connection.close();
  }
}
