/** All Services. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { useModel } from "../context.ts";
import { rateText } from "../data/rates.ts";
import type { ServiceRow } from "../data/service-row.ts";
import { Empty } from "../parts/empty.tsx";
import { filterRows, namespacesOf } from "../parts/filter.ts";
import { FilterTools } from "../parts/filter-tools.tsx";
import { Mark, serviceTone, serviceWord } from "../parts/mark.tsx";
import { VirtualList, type Column } from "../parts/virtual-list.tsx";
import { serviceHref, usePlace } from "../route.ts";

type Rates = ReadonlyMap<string, number>;

const columns = (rates: Rates): readonly Column<ServiceRow>[] => [
  {
    title: "Name",
    width: "minmax(0, 2.2fr)",
    cell: ({ name, namespace }) => (
      <>
        <span class="soft">{namespace}/</span>
        {name}
      </>
    ),
  },
  { title: "Endpoints", width: "minmax(120px, 1fr)", cell: (row) => <Mark tone={serviceTone[row.state]}>{serviceWord(row)}</Mark> },
  { title: "Type", width: "minmax(0, 110px)", wide: true, cell: ({ type }) => type },
  {
    title: "Address",
    width: "minmax(0, 150px)",
    wide: true,
    cell: ({ clusterIP }) => <span class="mono">{clusterIP === "None" ? "headless" : clusterIP}</span>,
  },
  { title: "Ports", width: "minmax(0, 1.6fr)", wide: true, cell: ({ ports }) => <span class="mono soft">{ports.join(", ")}</span> },
  {
    title: "Conn/s",
    width: "64px",
    wide: true,
    cell: ({ key }) => <span class="num">{rates.has(key) ? rateText(rates.get(key) as number) : "–"}</span>,
  },
];

export function ServicesPage(): JSX.Element {
  const model = useModel();
  const { query } = usePlace();
  const filter = { text: query.get("q") ?? "", namespace: query.get("ns") ?? "", system: true };
  const all = model.services();
  const rows = useMemo(() => filterRows(all, filter), [all, filter.text, filter.namespace]);
  const shown = useMemo(() => columns(model.rates.service), [model.rates]);
  return (
    <div class="page full">
      <div class="page-head">
        <h1>Services</h1>
        <span class="aside">{rows.length === all.length ? "" : `${rows.length.toLocaleString()} of ${all.length.toLocaleString()}`}</span>
        <span class="spread" />
        <FilterTools filter={filter} namespaces={useMemo(() => namespacesOf(all), [all])} placeholder="Filter Services" />
      </div>
      {rows.length === 0 ? (
        <Empty title={model.synced ? "No Service matches" : "Reading the cluster…"}>
          Search goes over names, types, addresses and ports.
        </Empty>
      ) : (
        <VirtualList rows={rows} columns={shown} keyOf={({ key }) => key} hrefOf={({ key }) => serviceHref(key)} label="Services" />
      )}
    </div>
  );
}
