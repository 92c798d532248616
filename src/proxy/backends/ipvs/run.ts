/** Gives operations to the kernel, one kind after the other in batches; says whose were refused. */
import type { IpvsOperation } from "../../../decide/proxy/render/ipvs/operations.ts";
import type { IpsetCommand } from "../../../host/ipset/ipset.ts";
import type { IpvsCommand } from "../../../host/ipvs/ipvs.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { Drains } from "./drains.ts";
import { setDefinition, type IpvsKernel } from "./kernel.ts";

/** `key`: the Service that wants it. */
export interface OwnedOperation {
  readonly key: string;
  readonly operation: IpvsOperation;
}

export interface RunOptions {
  readonly kernel: IpvsKernel;
  readonly family: IpFamily;
  readonly drains: Drains;
  /** After sets have what they need and before the first packet is taken. */
  readonly writeRules: () => Promise<void>;
}

/** Service → the first error. Throws where rules or links cannot be had at all, which concerns everyone. */
export async function runOperations(owned: readonly OwnedOperation[], options: RunOptions): Promise<ReadonlyMap<string, unknown>> {
  const failed = new Map<string, unknown>();
  const of = (...kinds: readonly IpvsOperation["kind"][]) => owned.filter(({ operation }) => kinds.includes(operation.kind));
  runEntries(of("addEntry"), options, failed);
  runAddresses(of("bind"), options);
  await options.writeRules();
  runServers(of("addServer", "setServer"), options, failed);
  runServers(of("addReal", "setReal"), options, failed);
  runServers(of("drainReal"), options, failed);
  runServers(of("deleteServer"), options, failed);
  runAddresses(of("unbind"), options);
  runEntries(of("deleteEntry"), options, failed);
  return failed;
}

function collect(owned: readonly OwnedOperation[], errors: ReadonlyMap<number, Error>, failed: Map<string, unknown>): void {
  for (const [at, error] of errors) {
    const key = owned[at]?.key ?? "";
    if (!failed.has(key)) failed.set(key, error);
  }
}

function runEntries(owned: readonly OwnedOperation[], { kernel, family }: RunOptions, failed: Map<string, unknown>): void {
  if (owned.length === 0) return;
  const commands = owned.map(({ operation }): IpsetCommand => {
    const { kind, set, entry } = operation as Extract<IpvsOperation, { entry: string }>;
    return { kind: kind === "addEntry" ? "add" : "delete", set: setDefinition(set, family), entry };
  });
  collect(owned, kernel.ipset.run(commands), failed);
}

function runAddresses(owned: readonly OwnedOperation[], { kernel }: RunOptions): void {
  const of = (wanted: "bind" | "unbind") => owned.flatMap(({ operation }) => (operation.kind === wanted ? [operation.address] : []));
  kernel.link.change(of("bind"), of("unbind"));
}

function runServers(owned: readonly OwnedOperation[], { kernel, drains }: RunOptions, failed: Map<string, unknown>): void {
  if (owned.length === 0) return;
  collect(owned, kernel.ipvs.run(owned.map(({ operation }) => commandOf(operation, drains))), failed);
}

/** Connections of UDP and SCTP have no end that IPVS would see: their real server goes at once, and their next packet elsewhere. */
function commandOf(operation: IpvsOperation, drains: Drains): IpvsCommand {
  switch (operation.kind) {
    case "addServer":
      return { kind: "addService", service: operation.server };
    case "setServer":
      return { kind: "setService", service: operation.server };
    case "deleteServer":
      drains.forgetServer(operation.server);
      return { kind: "deleteService", service: operation.server };
    case "addReal":
    case "setReal":
      drains.forget(operation.server, operation.real);
      return { kind: "addDestination", service: operation.server, destination: operation.real };
    case "drainReal":
      if (operation.server.protocol !== "TCP") return { kind: "deleteDestination", service: operation.server, destination: operation.real };
      drains.add(operation.server, operation.real);
      return { kind: "setDestination", service: operation.server, destination: { ...operation.real, weight: 0 } };
    default:
      throw new TypeError(`no operation on virtual servers: ${operation.kind}`);
  }
}
