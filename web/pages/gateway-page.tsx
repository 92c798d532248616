/** The gateway: its route table in the order in which rules win, what is not served and why, and a request to try. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { snapshotKinds } from "../../src/decide/explain/snapshot.ts";
import type { FollowedKind } from "../../src/console/wire.ts";
import { useModel } from "../context.ts";
import type { Model } from "../data/model.ts";
import { rateText } from "../data/rates.ts";
import { routeRows, unserved, type RouteRow } from "../data/routes.ts";
import { snapshotOfModel } from "../data/snapshot.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark, serviceTone, serviceWord } from "../parts/mark.tsx";
import { go, serviceHref, usePlace, withQuery } from "../route.ts";
import { TryIt } from "./try-it.tsx";

const most = 300;

export function GatewayPage(): JSX.Element {
  const model = useModel();
  const { query } = usePlace();
  const text = (query.get("q") ?? "").toLowerCase();
  const version = model.tables.version(...(Object.values(snapshotKinds) as FollowedKind[]));
  const snapshot = useMemo(() => snapshotOfModel(model), [version, model.tables]);
  const all = useMemo(() => routeRows(snapshot), [snapshot]);
  const rows = all.filter(({ words }) => words.includes(text));
  const outside = unserved(snapshot);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Gateway</h1>
        <Traffic model={model} />
        <span class="spread" />
        <input
          class="field"
          type="search"
          aria-label="Filter routes"
          placeholder="Filter routes"
          value={query.get("q") ?? ""}
          onInput={(event) => go(withQuery({ q: event.currentTarget.value }), "replace")}
        />
      </div>
      {all.length === 0 && outside.length === 0 ? (
        <section class="panel">
          <Empty
            title={model.synced ? "No routes" : "Reading the cluster…"}
            code="kubectl create ingress shop --rule=shop.localhost/=web:80"
          >
            An Ingress or HTTPRoute leads hosts and paths to Services. With the first one Fairlead’s gateway opens its ports.
          </Empty>
        </section>
      ) : (
        <>
          <TryIt model={model} snapshot={snapshot} />
          <section class="panel">
            <header>
              <h2>Route table</h2>
              <span class="aside">of each host the rule that stands first wins</span>
            </header>
            <Table model={model} rows={rows.slice(0, most)} />
            {rows.length > most && <p class="body soft">and {rows.length - most} more: filter to see them</p>}
          </section>
        </>
      )}
      {outside.length > 0 && (
        <section class="panel">
          <header>
            <h2>Not served</h2>
          </header>
          <ul class="body sentences">
            {outside.map(({ ref, message, code }) => (
              <li key={`${ref.kind} ${ref.namespace} ${ref.name}`}>
                <Mark tone="warn">
                  {ref.kind} {ref.namespace}/{ref.name}
                </Mark>{" "}
                {message} <code>{code}</code>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function Traffic({ model: { counters, rates } }: { readonly model: Model }): JSX.Element | null {
  const counts = counters?.gateway ?? [];
  if (counts.length === 0) return null;
  const total = counts.reduce((sum, { requests }) => sum + requests, 0);
  const failed = counts.filter(({ code }) => code.startsWith("5")).reduce((sum, { requests }) => sum + requests, 0);
  const now = [...rates.ingress.values()].reduce((sum, rate) => sum + rate, 0);
  return (
    <dl class="stats">
      <div>
        <dt>requests</dt>
        <dd>{total.toLocaleString()}</dd>
      </div>
      <div>
        <dt>a second now</dt>
        <dd>{rateText(now)}</dd>
      </div>
      <div>
        <dt>answered with 5xx</dt>
        <dd class={failed > 0 ? "is-bad" : ""}>{failed.toLocaleString()}</dd>
      </div>
    </dl>
  );
}

function Table({ model, rows }: { readonly model: Model; readonly rows: readonly RouteRow[] }): JSX.Element {
  const byHost = Map.groupBy(rows, ({ listener, host }) => `${listener}\u0000${host}`);
  if (rows.length === 0)
    return (
      <Empty title="No route here">
        The filter looks at hosts, paths, objects and Services. What no controller serves is listed below.
      </Empty>
    );
  return (
    <div class="table-wrap">
      <table class="table routes">
        {[...byHost].map(([key, list]) => (
          <tbody key={key}>
            <tr class="host">
              <th colSpan={4} scope="rowgroup">
                <strong>{list[0]?.host === "*" ? "any host" : list[0]?.host}</strong> <span class="soft">{list[0]?.listener}</span>
              </th>
            </tr>
            {list.map((row, index) => (
              <RouteLine key={row.route.id} model={model} row={row} order={index + 1} />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function RouteLine({ model, row, order }: { readonly model: Model; readonly row: RouteRow; readonly order: number }): JSX.Element {
  const { source } = row.route;
  return (
    <tr>
      <td class="num soft order">{order}</td>
      <td class="mono wrap">
        {row.path}
        {row.conditions.map((text) => (
          <span key={text} class="tag">
            {text}
          </span>
        ))}
        {row.filters.map((text) => (
          <span key={text} class="tag accent">
            {text}
          </span>
        ))}
      </td>
      <td>
        {row.backends.length === 0 && <Mark tone="bad">no backend</Mark>}
        {row.backends.map(({ key, text }) => {
          const service = model.service(key);
          return (
            <span key={text} class="backend">
              <a href={serviceHref(key)} class="mono">
                {text}
              </a>
              {service === undefined ? (
                <Mark tone="bad">not there</Mark>
              ) : (
                <Mark tone={serviceTone[service.state]}>{serviceWord(service)}</Mark>
              )}
            </span>
          );
        })}
      </td>
      <td class="soft hide-narrow wrap">
        {source.kind} {source.namespace}/{source.name}
      </td>
    </tr>
  );
}
