/** Who asks the cluster's DNS for what, and what another ndots would do. */
import type { JSX } from "preact";
import { ndotsAdvice } from "../../src/decide/dns/top/ndots-advice.ts";
import type { ClientReport, TopReport } from "../../src/decide/dns/top/query-tally.ts";
import type { Model } from "../data/model.ts";
import { Empty } from "../parts/empty.tsx";
import { askHref } from "../route.ts";
import { percent } from "./percent.ts";

interface NameSum {
  readonly name: string;
  queries: number;
  wasted: number;
  clients: number;
}

/** Over all clients, the most asked first. */
function topNames({ clients }: TopReport): readonly NameSum[] {
  const sums = new Map<string, NameSum>();
  for (const { names } of clients) {
    for (const { name, queries, wasted } of names) {
      const sum = sums.get(name) ?? { name, queries: 0, wasted: 0, clients: 0 };
      sum.queries += queries;
      sum.wasted += wasted;
      sum.clients++;
      sums.set(name, sum);
    }
  }
  return [...sums.values()].sort((a, b) => b.queries - a.queries);
}

const mostNames = 12;

export function Names({ top }: { readonly top: TopReport }): JSX.Element {
  const names = topNames(top).slice(0, mostNames);
  const most = names[0]?.queries ?? 1;
  return (
    <section class="panel">
      <header>
        <h2>Names asked most</h2>
        <span class="aside">as they were meant: without what the search path added</span>
      </header>
      {names.length === 0 ? (
        <Empty title="No question yet" code="kubectl exec deploy/web -- getent hosts web.shop">
          As soon as a pod looks a name up it is counted here, with the questions that its search path made of it.
        </Empty>
      ) : (
        <div class="table-wrap">
          <table class="table">
            <thead>
              <tr>
                <th>Name</th>
                <th class="hide-narrow" aria-label="Share" />
                <th class="right">Questions</th>
                <th class="right">Wasted</th>
                <th class="right hide-narrow">Clients</th>
              </tr>
            </thead>
            <tbody>
              {names.map(({ name, queries, wasted, clients }) => (
                <tr key={name}>
                  <td class="mono wrap">
                    <a href={askHref(name)}>{name}</a>
                  </td>
                  <td class="hide-narrow bar-cell">
                    <span class="bar" aria-hidden="true">
                      <i style={{ width: percent(queries, most) }} />
                    </span>
                  </td>
                  <td class="right num">{queries.toLocaleString()}</td>
                  <td class="right num">{wasted.toLocaleString()}</td>
                  <td class="right num hide-narrow">{clients}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const mostClients = 20;

export function Clients({ model, top }: { readonly model: Model; readonly top: TopReport }): JSX.Element | null {
  if (top.clients.length === 0) return null;
  return (
    <section class="panel">
      <header>
        <h2>Clients and ndots</h2>
        <span class="aside">what a smaller ndots in the pod’s dnsConfig would save, and what it would break</span>
      </header>
      <div class="table-wrap">
        <table class="table">
          <thead>
            <tr>
              <th>Client</th>
              <th class="right">Questions</th>
              <th class="right">Wasted</th>
              <th class="right">ndots 2 saves</th>
              <th class="hide-narrow">It would break</th>
            </tr>
          </thead>
          <tbody>
            {top.clients.slice(0, mostClients).map((client) => (
              <ClientLine key={client.address} model={model} client={client} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function ClientLine({ model, client }: { readonly model: Model; readonly client: ClientReport }): JSX.Element {
  const pod = model.tables.podAt(client.address);
  const key = pod === undefined ? undefined : `${pod.metadata.namespace}/${pod.metadata.name}`;
  const { saved, breaks } = ndotsAdvice(client, 2);
  return (
    <tr>
      <td>
        {key === undefined ? <span class="mono">{client.address}</span> : <a href={`/pods?q=${encodeURIComponent(key)}`}>{key}</a>}
        {key === undefined && client.namespace !== undefined && <span class="soft"> in {client.namespace}</span>}
      </td>
      <td class="right num">{client.queries.toLocaleString()}</td>
      <td class="right num">{percent(client.wasted, client.queries)}</td>
      <td class="right num">{percent(saved, client.queries)}</td>
      <td class="hide-narrow wrap">
        {breaks.length === 0 ? <span class="soft">nothing it has asked for</span> : <span class="mono">{breaks.join(", ")}</span>}
      </td>
    </tr>
  );
}
