/** When a selector is worth an Event, and when that was said already. */
import type { Pod, Service } from "../../api/types.ts";
import { explainService } from "../../decide/explain/service.ts";

/** What to say; undefined when pods match, or none are wanted. */
export function selectorProblem(service: Service, pods: readonly Pod[]): string | undefined {
  const { namespace = "", name = "" } = service.metadata;
  const explanation = explainService({ services: [service], pods, endpointSlices: [], nodes: [] }, namespace, name);
  if (explanation.finding !== "SelectsNothing") return undefined;
  const selector = Object.entries(explanation.selector).map(([key, value]) => `${key}=${value}`);
  return [`no pod in namespace ${namespace} matches ${selector.join(",")}`, ...explanation.hints.slice(0, 2)].join(". ");
}

/** Remembers what was said about each key, so that it is said once and again only after it had changed. */
export class OnceEach {
  readonly #said = new Map<string, string>();

  /** Whether `problem` is worth saying now; it counts as said from then on. */
  isNews(key: string, problem: string | undefined): boolean {
    const before = this.#said.get(key);
    if (problem === undefined) this.#said.delete(key);
    else this.#said.set(key, problem);
    return problem !== undefined && problem !== before;
  }

  forget(key: string): void {
    this.#said.delete(key);
  }

  keysOf(namespace: string): readonly string[] {
    return [...this.#said.keys()].filter((key) => key.startsWith(`${namespace}/`));
  }
}
