/** Nodes by zone, with what of the Services is on each. */
import type { JSX } from "preact";
import type { Node, Pod } from "../../src/api/types.ts";
import { isPodReady } from "../../src/decide/endpoints/pod-state.ts";
import { addressesOfNode, isNodeReady, podCIDRsOf } from "../../src/decide/explain/nodes.ts";
import { useModel } from "../context.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";

const zoneLabel = "topology.kubernetes.io/zone";

export function NodesPage(): JSX.Element {
  const { tables, synced } = useModel();
  const nodes = [...tables.list<Node>("Node")].sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  const podsOn = Map.groupBy(tables.list<Pod>("Pod"), ({ spec }) => spec?.nodeName ?? "");
  const zones = [...Map.groupBy(nodes, ({ metadata }) => metadata.labels?.[zoneLabel] ?? "")].sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <div class="page">
      <div class="page-head">
        <h1>Nodes</h1>
      </div>
      {nodes.length === 0 && (
        <Empty title={synced ? "No node" : "Reading the cluster…"}>A cluster needs a node before anything can run.</Empty>
      )}
      {zones.map(([zone, members]) => (
        <section key={zone} class="panel">
          <header>
            <h2>{zone === "" ? "Without a zone" : `Zone ${zone}`}</h2>
            <span class="aside">
              {members.length} {members.length === 1 ? "node" : "nodes"}
            </span>
          </header>
          <div class="table-wrap">
            <table class="table">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>State</th>
                  <th>Address</th>
                  <th class="hide-narrow">Pods’ range</th>
                  <th class="right">Pods ready</th>
                </tr>
              </thead>
              <tbody>
                {members.map((node) => (
                  <NodeLine key={node.metadata.name} node={node} pods={podsOn.get(node.metadata.name ?? "") ?? []} />
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </div>
  );
}

function NodeLine({ node, pods }: { readonly node: Node; readonly pods: readonly Pod[] }): JSX.Element {
  const ready = isNodeReady(node);
  const name = node.metadata.name ?? "";
  return (
    <tr>
      <td>
        <a href={`/pods?q=${encodeURIComponent(name)}`}>{name}</a>
      </td>
      <td>
        <Mark tone={ready ? "ok" : "bad"}>{ready ? "ready" : "not ready"}</Mark>
      </td>
      <td class="mono">{addressesOfNode(node).join(", ")}</td>
      <td class="mono hide-narrow">{podCIDRsOf(node).join(", ")}</td>
      <td class="right num">
        {pods.filter(isPodReady).length} of {pods.length}
      </td>
    </tr>
  );
}
