/** Which route has what on which listener, by host: so that an edit of a route costs the hosts that it is for. */
import type { HostRoute, StreamRoute, VirtualHost } from "../../decide/routes/index.ts";
import { sectionHost, sectionStreams, type RoutePlan } from "../../decide/routes/gateway-api/index.ts";

interface Section {
  /** host → route → what it has there. */
  readonly routes: Map<string, Map<string, readonly HostRoute[]>>;
  readonly hosts: Map<string, VirtualHost>;
  readonly plans: Map<string, RoutePlan>;
  streams: readonly StreamRoute[];
  /** Made anew after a change only: a listener that an edit leaves alone keeps its index. */
  list: readonly VirtualHost[] | undefined;
}

export class AttachmentIndex {
  /** By listener. */
  readonly #sections = new Map<string, Section>();
  readonly #dirtyHosts = new Map<string, Set<string>>();

  /** Gives the Gateways of which something changed. */
  replace(old: RoutePlan | undefined, next: RoutePlan | undefined): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const { gateway, listener, routes } of old?.attachments ?? []) {
      touched.add(gateway);
      this.#remove(listener.id, old as RoutePlan, routes);
    }
    for (const { gateway, listener, routes } of next?.attachments ?? []) {
      touched.add(gateway);
      this.#add(listener.id, next as RoutePlan, routes);
    }
    return touched;
  }

  #remove(id: string, { key }: RoutePlan, routes: readonly HostRoute[]): void {
    const section = this.#sections.get(id);
    if (section === undefined) return;
    section.plans.delete(key);
    for (const { host } of routes) {
      section.routes.get(host)?.delete(key);
      this.#dirty(id, host);
    }
    this.#dirty(id, "");
  }

  #add(id: string, plan: RoutePlan, routes: readonly HostRoute[]): void {
    const section = this.#section(id);
    section.plans.set(plan.key, plan);
    for (const [host, own] of Map.groupBy(routes, (each) => each.host)) {
      let byRoute = section.routes.get(host);
      if (byRoute === undefined) section.routes.set(host, (byRoute = new Map()));
      byRoute.set(plan.key, own);
      this.#dirty(id, host);
    }
    this.#dirty(id, "");
  }

  #section(id: string): Section {
    let section = this.#sections.get(id);
    if (section === undefined) {
      section = { routes: new Map(), hosts: new Map(), plans: new Map(), streams: [], list: undefined };
      this.#sections.set(id, section);
    }
    return section;
  }

  #dirty(id: string, host: string): void {
    let hosts = this.#dirtyHosts.get(id);
    if (hosts === undefined) this.#dirtyHosts.set(id, (hosts = new Set()));
    hosts.add(host);
  }

  /** Merges one host that waits for it; false: none does. */
  mergeNext(): boolean {
    for (const [id, hosts] of this.#dirtyHosts) {
      const section = this.#section(id);
      for (const host of hosts) {
        hosts.delete(host);
        if (host === "") mergeStreams(id, section);
        else mergeHosts(host, section);
        return true;
      }
      this.#dirtyHosts.delete(id);
      if (section.plans.size === 0) this.#sections.delete(id);
    }
    return false;
  }

  attached(id: string): number {
    return this.#sections.get(id)?.plans.size ?? 0;
  }

  hostsOf(id: string): readonly VirtualHost[] {
    const section = this.#sections.get(id);
    if (section === undefined) return none;
    return (section.list ??= [...section.hosts.values()]);
  }

  streamsOf(id: string): readonly StreamRoute[] {
    return this.#sections.get(id)?.streams ?? [];
  }
}

const none: readonly VirtualHost[] = [];

function mergeHosts(host: string, section: Section): void {
  section.list = undefined;
  const byRoute = section.routes.get(host);
  if (byRoute === undefined || byRoute.size === 0) {
    section.routes.delete(host);
    section.hosts.delete(host);
  } else section.hosts.set(host, sectionHost(host, [...byRoute.values()].flat()));
}

function mergeStreams(id: string, section: Section): void {
  const all = [...section.plans.values()].flatMap(({ route, attachments }) =>
    attachments
      .filter(({ listener, streams }) => listener.id === id && streams.length > 0)
      .map((attachment) => ({
        created: `${route.metadata.creationTimestamp ?? ""} ${route.metadata.namespace}/${route.metadata.name}`,
        attachment,
      })),
  );
  section.streams = all.length === 0 ? [] : sectionStreams(all);
}
