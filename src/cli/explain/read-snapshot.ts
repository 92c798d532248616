/** A Snapshot for `explain`: from files, from any cluster by list rights alone, or from a running Fairlead. What may not be read is named. */
import type { KubeObject } from "../../api/object.ts";
import { configMaps, customResourceDefinitions, events, type Resource } from "../../api/resources.ts";
import { StatusError } from "../../api/status.ts";
import type { ConfigMap } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { assume } from "../../decide/explain/assume.ts";
import { decidingResources } from "../../decide/explain/resources.ts";
import {
  snapshotKinds,
  snapshotOf,
  type ProxyMode,
  type Snapshot,
  type SnapshotConfig,
  type Unread,
} from "../../decide/explain/snapshot.ts";
import { resourceOf } from "../../gateway/control/resources.ts";
import { FairleadError } from "../../lib/errors.ts";
import { problemText, readAll } from "../apply.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { readSource, sourceFiles } from "../sources.ts";
import { pastSnapshot } from "../../decide/explain/history/past.ts";
import { dnsFacts } from "./dns-facts.ts";
import { readPast } from "./read-history.ts";
import type { Manifest } from "../../api/manifest.ts";

export interface SnapshotChoice extends ClusterChoice {
  readonly files: readonly string[];
  /** Any cluster's, read only. */
  readonly kubeconfig?: string;
  readonly proxyMode?: ProxyMode;
  /** A moment: of a Fairlead, which keeps history. */
  readonly at?: string;
}

export interface ReadSnapshot {
  readonly snapshot: Snapshot;
  /** Where each object stands, when it came from files. */
  readonly manifests: readonly Manifest[];
}

/** Files go before a kubeconfig, and that before a running cluster. Throws FL_MANIFEST, FL_KUBECONFIG, FL_NOT_RUNNING, FL_CONNECT. */
export async function readSnapshot(choice: SnapshotChoice): Promise<ReadSnapshot> {
  const given = choice.proxyMode === undefined ? {} : { proxyMode: choice.proxyMode };
  if (choice.files.length > 0 && choice.at !== undefined)
    throw new FairleadError("FL_USAGE", "--at is for a running Fairlead: files have no past", { hint: "Leave out --at or -f." });
  if (choice.files.length > 0) return fromFiles(choice.files, given);
  const cluster = choice.kubeconfig === undefined ? findCluster(choice) : undefined;
  const { client, close } = await connect(choice.kubeconfig ?? cluster?.kubeconfig ?? "");
  try {
    const own: Partial<SnapshotConfig> = cluster === undefined ? {} : fairleadConfig(cluster.mode);
    const now = await fromCluster(client, { ...own, ...given });
    return { snapshot: choice.at === undefined ? now : await asItWas(client, choice.at, now.config), manifests: [] };
  } finally {
    await close();
  }
}

/** The objects of then; how the cluster is set up is taken from now. */
async function asItWas(client: Client, at: string, config: SnapshotConfig): Promise<Snapshot> {
  const { revision, time, versions } = await readPast(client, at);
  const moment = `as of ${new Date(time).toISOString()}, revision ${revision}`;
  return pastSnapshot(versions, { ...config, assumed: [...config.assumed, moment] });
}

/** What `up` does where nothing else is asked for: nftables where nodes are networks of their own. */
function fairleadConfig(mode: string): Partial<SnapshotConfig> {
  return mode === "loopback" ? { proxyMode: "userspace", networkPolicy: "ignored" } : { proxyMode: "nftables", networkPolicy: "enforced" };
}

async function fromFiles(files: readonly string[], config: Partial<SnapshotConfig>): Promise<ReadSnapshot> {
  const { manifests, problems } = await readAll(sourceFiles(files).map(readSource));
  // What cannot be read could be the object in question: an answer without it would be wrong.
  if (problems.length > 0) throw new FairleadError("FL_MANIFEST", problems.map(problemText).join("\n"));
  const objects = manifests.map(({ object }) => object);
  return { snapshot: assume(objects, { ...clusterConfig(objects), ...config }), manifests };
}

export async function fromCluster(client: Client, config: Partial<SnapshotConfig>): Promise<Snapshot> {
  const unread: Unread[] = [];
  const read = async (resource: Resource): Promise<readonly KubeObject[]> => {
    try {
      const { items } = await client.list(resource);
      // Lists leave out what every item of theirs is.
      return items.map((object) => ({ ...object, kind: resource.kind }));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      if (error.code !== 404) unread.push({ kind: resource.kind, why: error.code === 403 ? "forbidden" : error.message });
      return [];
    }
  };
  const [plain, gateway, settings, version] = await Promise.all([
    Promise.all([...decidingResources, events].map(read)),
    readGateways(client, read),
    Promise.all([readConfigMap(client, "coredns"), readConfigMap(client, "kube-proxy")]),
    client.raw("/version").catch(() => undefined),
  ]);
  const { gitVersion = "" } = (version ?? {}) as { readonly gitVersion?: string };
  const objects = [...plain, ...gateway].flat();
  return snapshotOf(objects, {
    ...clusterConfig(settings.filter((each) => each !== undefined)),
    gateway: gitVersion.includes("fairlead") ? "fairlead" : "unknown",
    ...config,
    unread,
  });
}

/** In the version that the cluster serves. Who may not see the definitions sees no Gateways either. */
async function readGateways(
  client: Client,
  read: (resource: Resource) => Promise<readonly KubeObject[]>,
): Promise<readonly (readonly KubeObject[])[]> {
  const wanted = new Set<string>(Object.values(snapshotKinds));
  const { items } = await client.list(customResourceDefinitions).catch((error: unknown) => {
    if (error instanceof StatusError) return { items: [] };
    throw error;
  });
  const found = items.flatMap((definition) => resourceOf(definition) ?? []).filter(({ kind }) => wanted.has(kind));
  return Promise.all(found.map(read));
}

async function readConfigMap(client: Client, name: string): Promise<ConfigMap | undefined> {
  try {
    return { ...(await client.get(configMaps, { namespace: "kube-system", name })), kind: "ConfigMap" };
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

/** What ConfigMaps of kube-system say: the mode of kube-proxy (as kubeadm writes it), the domain of CoreDNS. */
function clusterConfig(objects: readonly KubeObject[]): Partial<SnapshotConfig> {
  const data = (name: string) =>
    (
      objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name && metadata.namespace === "kube-system") as
        | ConfigMap
        | undefined
    )?.data ?? {};
  const proxy = data("kube-proxy")["config.conf"];
  const corefile = data("coredns")["Corefile"];
  const mode = proxy === undefined ? undefined : /^mode:\s*"?(\w*)"?\s*$/m.exec(proxy)?.[1];
  return {
    ...(mode === undefined ? {} : { proxyMode: mode === "nftables" || mode === "ipvs" ? mode : ("iptables" as const) }),
    ...(corefile === undefined ? {} : dnsFacts(corefile)),
  };
}
