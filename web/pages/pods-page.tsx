/** All pods, and what each is to Services. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Pod } from "../../src/api/types.ts";
import { isPodReady, isPodTerminating, podAddresses } from "../../src/decide/endpoints/pod-state.ts";
import { useModel } from "../context.ts";
import { Empty } from "../parts/empty.tsx";
import { filterRows, namespacesOf } from "../parts/filter.ts";
import { FilterTools } from "../parts/filter-tools.tsx";
import { Mark, type Tone } from "../parts/mark.tsx";
import { VirtualList, type Column } from "../parts/virtual-list.tsx";
import { askHref, usePlace } from "../route.ts";

export interface PodRow {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly tone: Tone;
  readonly state: string;
  readonly address: string;
  readonly node: string;
  readonly ports: string;
  readonly words: string;
}

export function podRow(pod: Pod): PodRow {
  const { namespace = "", name = "" } = pod.metadata;
  const [address = ""] = podAddresses(pod);
  const node = pod.spec?.nodeName ?? "";
  const ports = (pod.spec?.containers ?? []).flatMap((container) =>
    (container.ports ?? []).map((port) => `${port.name === undefined ? "" : `${port.name} `}${port.containerPort}`),
  );
  const [tone, state] = stateOf(pod);
  const words = `${namespace}/${name} ${address} ${node} ${state}`.toLowerCase();
  return { key: `${namespace}/${name}`, namespace, name, tone, state, address, node, ports: ports.join(", "), words };
}

function stateOf(pod: Pod): readonly [Tone, string] {
  const { phase = "Pending", containerStatuses = [] } = pod.status ?? {};
  const waiting = containerStatuses.find(({ state }) => state?.waiting?.reason !== undefined)?.state?.waiting?.reason;
  if (isPodTerminating(pod)) return ["idle", "terminating"];
  if (phase === "Succeeded") return ["idle", "finished"];
  if (phase === "Failed") return ["bad", "failed"];
  if (isPodReady(pod)) return ["ok", "ready"];
  return [waiting === undefined && phase === "Pending" ? "warn" : "bad", waiting ?? (phase === "Pending" ? "pending" : "not ready")];
}

const columns: readonly Column<PodRow>[] = [
  {
    title: "Name",
    width: "minmax(0, 2.4fr)",
    cell: ({ namespace, name }) => (
      <>
        <span class="soft">{namespace}/</span>
        {name}
      </>
    ),
  },
  { title: "State", width: "minmax(110px, 1fr)", cell: ({ tone, state }) => <Mark tone={tone}>{state}</Mark> },
  { title: "Address", width: "minmax(0, 150px)", wide: true, cell: ({ address }) => <span class="mono">{address}</span> },
  { title: "Ports", width: "minmax(0, 1fr)", wide: true, cell: ({ ports }) => <span class="mono soft">{ports}</span> },
  { title: "Node", width: "minmax(0, 130px)", wide: true, cell: ({ node }) => node },
];

export function PodsPage(): JSX.Element {
  const model = useModel();
  const { query } = usePlace();
  const filter = { text: query.get("q") ?? "", namespace: query.get("ns") ?? "", system: true };
  const version = model.tables.version("Pod");
  const all = useMemo(
    () =>
      model.tables
        .list<Pod>("Pod")
        .map(podRow)
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    [model.tables, version],
  );
  const rows = useMemo(() => filterRows(all, filter), [all, filter.text, filter.namespace]);
  return (
    <div class="page full">
      <div class="page-head">
        <h1>Pods</h1>
        <span class="spread" />
        <FilterTools filter={filter} namespaces={namespacesOf(all)} placeholder="Filter pods" />
      </div>
      {rows.length === 0 ? (
        <Empty
          title={model.synced ? "No pod here" : "Reading the cluster…"}
          {...(model.synced && all.length === 0 ? { code: "kubectl create deployment web --image=…" } : {})}
        >
          Pods are what stands behind Services. Choosing one explains what reaches it.
        </Empty>
      ) : (
        <VirtualList rows={rows} columns={columns} keyOf={({ key }) => key} hrefOf={({ key }) => askHref(`pod/${key}`)} label="Pods" />
      )}
    </div>
  );
}
