/**
 * `fairlead debug bundle`: everything that somebody else needs to understand a cluster's state, in one file, read through its
 * API alone. What could be secret stays behind: the values of Secrets, and of environment variables that look like one.
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import { kinds } from "../../api/kinds/index.ts";
import { objectKey, type KubeObject } from "../../api/object.ts";
import { pods, resourcePath, type Resource } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { errorMessage } from "../../lib/errors.ts";
import { read, reportOf } from "../collect.ts";
import type { ClusterFile } from "../cluster-file.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { tarOf, type TarEntry } from "./tar.ts";
import type { Terminal } from "../terminal.ts";
import { kubernetesVersion, version } from "../version.ts";

export interface BundleOptions extends ClusterChoice {
  /** Default: `fairlead-NAME-TIME.tar.gz` in the working directory. */
  readonly file?: string;
}

const logBytes = 1 << 20;

export async function debugBundle(options: BundleOptions, terminal: Terminal): Promise<number> {
  const cluster = findCluster(options);
  const { client, close } = await connect(cluster.kubeconfig);
  const step = terminal.step("Collecting");
  try {
    const now = new Date();
    const entries = await collect(cluster, client, (text) => step.update(text));
    const file = options.file ?? `fairlead-${cluster.name}-${now.toISOString().replace(/[:.]/g, "-")}.tar.gz`;
    writeFileSync(file, gzipSync(tarOf(entries, Math.floor(now.getTime() / 1000))), { mode: 0o600, flag: "wx" });
    step.done(`${entries.length} files collected; values of Secrets are not among them`);
    terminal.print(file);
  } catch (error) {
    step.fail();
    throw error;
  } finally {
    await close();
  }
  return 0;
}

async function collect(cluster: ClusterFile, client: Client, tell: (text: string) => void): Promise<readonly TarEntry[]> {
  const { kubeconfig: _, ...identity } = cluster;
  const reading = await read(client);
  const entries: TarEntry[] = [
    entry(
      "about.json",
      JSON.stringify(
        {
          fairlead: version,
          kubernetes: kubernetesVersion,
          node: process.version,
          platform: `${process.platform} ${process.arch}`,
          cluster: identity,
        },
        null,
        2,
      ),
    ),
    entry("report.json", JSON.stringify(reportOf(cluster, reading), null, 2)),
  ];
  for (const path of ["/metrics", "/livez?verbose", "/readyz?verbose", "/version"]) {
    tell(`Collecting ${path}`);
    entries.push(entry(`api${path.replace(/\?.*/, "")}.txt`, await attempt(() => rawText(client, path))));
  }
  for (const { resource } of kinds) {
    tell(`Collecting ${resource.plural}`);
    entries.push(entry(fileOf(resource), await attempt(async () => stringify((await client.list(resource)).items.map(withoutSecrets)))));
  }
  for (const pod of reading.pods) {
    for (const { name } of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
      tell(`Collecting logs of ${objectKey(pod)}`);
      entries.push(
        entry(
          `logs/${pod.metadata.uid?.slice(0, 8)}-${name.slice(0, 60)}.log`,
          `# ${objectKey(pod)} ${name}\n${await attempt(() => logsOf(client, pod, name))}`,
        ),
      );
    }
  }
  return entries;
}

function entry(name: string, text: string): TarEntry {
  return { name: `fairlead-bundle/${name}`, content: Buffer.from(text) };
}

function fileOf({ group, plural }: Resource): string {
  return `objects/${group === "" ? plural : `${plural}.${group}`}.yaml`;
}

/** What could not be read says so in its place. */
async function attempt(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    return `could not be read: ${errorMessage(error)}\n`;
  }
}

async function rawText(client: Client, path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.stream(path)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function logsOf(client: Client, pod: Pod, container: string): Promise<string> {
  const path = resourcePath(pods, pod.metadata.namespace ?? "", pod.metadata.name ?? "", "log");
  return rawText(client, `${path}?container=${encodeURIComponent(container)}&limitBytes=${logBytes}&timestamps=true`);
}

const secretName = /pass(word|wd)?|secret|token|credential|api_?key|private/i;

/** Secrets keep their keys; variables and ConfigMap entries whose name speaks of a secret lose their value. */
export function withoutSecrets(object: KubeObject): unknown {
  const isSecret = object.kind === "Secret" || ("data" in object && "type" in object);
  return JSON.parse(
    JSON.stringify(object, function (this: Readonly<Record<string, unknown>>, key: string, value: unknown) {
      if (key === "managedFields" || key === "kubectl.kubernetes.io/last-applied-configuration") return undefined;
      if (isSecret && (key === "data" || key === "stringData") && typeof value === "object" && value !== null)
        return Object.fromEntries(Object.keys(value).map((name) => [name, "(left out)"]));
      if (typeof value !== "string") return value;
      const named = key === "value" && typeof this["name"] === "string" ? this["name"] : key;
      return secretName.test(named) && key !== "name" && !/name$/i.test(key) ? "(left out)" : value;
    }),
  );
}
