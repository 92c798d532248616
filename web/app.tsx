/** The frame around every page: where one can go, the ask bar, and the state of the connection. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useModel } from "./context.ts";
import type { Model } from "./data/model.ts";
import { DnsPage } from "./pages/dns-page.tsx";
import { GatewayPage } from "./pages/gateway-page.tsx";
import { MapPage } from "./pages/map-page.tsx";
import { NodesPage } from "./pages/nodes-page.tsx";
import { PodsPage } from "./pages/pods-page.tsx";
import { ServicePage } from "./pages/service-page.tsx";
import { ServicesPage } from "./pages/services-page.tsx";
import { AskBar } from "./parts/ask-bar.tsx";
import { Empty } from "./parts/empty.tsx";
import { DnsIcon, GatewayIcon, MapIcon, NodesIcon, PodsIcon, ServicesIcon } from "./parts/icons.tsx";
import { Mark } from "./parts/mark.tsx";
import { ThemeButton } from "./parts/theme.tsx";
import { usePlace, type Place } from "./route.ts";

interface Entry {
  readonly path: string;
  readonly title: string;
  readonly Icon: () => JSX.Element;
  readonly count?: (model: Model) => number;
  readonly page: (place: Place) => JSX.Element;
}

const entries: readonly Entry[] = [
  { path: "", title: "Map", Icon: MapIcon, page: () => <MapPage /> },
  {
    path: "services",
    title: "Services",
    Icon: ServicesIcon,
    count: ({ tables }) => tables.table("Service").size,
    page: ({ path: [, namespace, name] }) =>
      namespace === undefined || name === undefined ? (
        <ServicesPage />
      ) : (
        <ServicePage key={`${namespace}/${name}`} id={`${namespace}/${name}`} />
      ),
  },
  { path: "pods", title: "Pods", Icon: PodsIcon, count: ({ tables }) => tables.table("Pod").size, page: () => <PodsPage /> },
  { path: "nodes", title: "Nodes", Icon: NodesIcon, count: ({ tables }) => tables.table("Node").size, page: () => <NodesPage /> },
  { path: "dns", title: "DNS", Icon: DnsIcon, page: () => <DnsPage /> },
  { path: "gateway", title: "Gateway", Icon: GatewayIcon, page: () => <GatewayPage /> },
];

export function App(): JSX.Element {
  const model = useModel();
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const [first = ""] = place.path;
  const entry = entries.find(({ path }) => path === first);
  useEffect(() => {
    document.title = [place.path.slice(1).join("/"), entry?.title ?? "Not found", "Fairlead"].filter(Boolean).join(" · ");
    main.current?.scrollTo(0, 0);
  }, [place.path.join("/")]);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <div class="side">
        <a class="brand" href="/">
          <Emblem />
          <span class="word">Fairlead</span>
        </a>
        <nav class="nav" aria-label="Pages">
          {entries.map(({ path, title, Icon, count }) => (
            <a key={path} href={`/${path}`} aria-current={entry?.path === path ? "page" : undefined} title={title}>
              <Icon />
              <span class="word">{title}</span>
              {count !== undefined && <span class="count num">{count(model).toLocaleString()}</span>}
            </a>
          ))}
        </nav>
        <SideFoot model={model} />
      </div>
      <header class="top">
        <a class="brand" href="/" aria-label="Map">
          <Emblem />
        </a>
        <AskBar />
        <span class="spread" />
        <Connection model={model} />
        <ThemeButton />
      </header>
      <main class="main" id="main" ref={main} tabIndex={-1}>
        <Content model={model} page={entry?.page(place)} />
      </main>
    </div>
  );
}

function Content({ model, page }: { readonly model: Model; readonly page: JSX.Element | undefined }): JSX.Element {
  const { feed } = model;
  if (feed.kind === "refused")
    return (
      <Empty title="Open the URL that Fairlead printed" code="fairlead console">
        {feed.why} The command prints the URL of a running cluster's console.
      </Empty>
    );
  if (page === undefined) return <Empty title="There is no such page">Choose one of the pages at the side.</Empty>;
  return page;
}

function Connection({ model: { feed, synced } }: { readonly model: Model }): JSX.Element {
  return (
    <span class="connection" role="status">
      {feed.kind === "live" && synced && <Mark tone="ok">Live</Mark>}
      {(feed.kind === "connecting" || (feed.kind === "live" && !synced)) && <Mark tone="idle">Reading…</Mark>}
      {feed.kind === "lost" && (
        <span title={feed.why}>
          <Mark tone="warn">Reconnecting…</Mark>
        </span>
      )}
      {feed.kind === "refused" && <Mark tone="bad">No session</Mark>}
    </span>
  );
}

function SideFoot({ model: { cluster, lacking } }: { readonly model: Model }): JSX.Element {
  return (
    <div class="side-foot">
      {lacking.map(({ what, why }) => (
        <span key={what} title={why}>
          no {what}
        </span>
      ))}
      {cluster !== undefined && (
        <>
          <strong>{cluster.name}</strong>
          <span>{cluster.server.replace("https://", "")}</span>
          <span>{cluster.version}</span>
        </>
      )}
    </div>
  );
}

function Emblem() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b5566" />
      <circle cx="16" cy="16" r="8.5" fill="none" stroke="#fff" stroke-width="3.4" />
      <path d="M2 22c6 0 8-6 14-6s8-6 14-6" fill="none" stroke="#7fe0d0" stroke-width="3" stroke-linecap="round" />
    </svg>
  );
}
