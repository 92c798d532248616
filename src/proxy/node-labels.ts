/**
 * Labels of all nodes, for Services with the annotation `fairlead.dev/topology-keys`. Nothing is watched until the first such Service
 * comes: most clusters have none, and a node's object changes all the time.
 */
import { nodes } from "../api/resources.ts";
import type { Node } from "../api/types.ts";
import type { InformerFactory } from "../client/informer.ts";

type Labels = Readonly<Record<string, string>>;

export interface NodeLabelsOptions {
  /** All nodes of the cluster; called with the first Service that asks. */
  readonly informers: () => InformerFactory;
  /** A node has come, gone, or has other labels. */
  readonly changed: () => void;
}

export class NodeLabels {
  readonly #options: NodeLabelsOptions;
  readonly #labels = new Map<string, Labels>();
  #unsubscribe: (() => void) | undefined;

  constructor(options: NodeLabelsOptions) {
    this.#options = options;
  }

  /** Undefined: there is no such node, or it has not been heard of yet. */
  of(name: string): Labels | undefined {
    this.#watch();
    return this.#labels.get(name);
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  #watch(): void {
    if (this.#unsubscribe !== undefined) return;
    this.#unsubscribe = () => {};
    this.#unsubscribe = this.#options
      .informers()
      .informer(nodes)
      .addHandlers({
        added: (node) => this.#set(node),
        updated: (node) => this.#set(node),
        deleted: (node) => {
          if (this.#labels.delete(node.metadata.name ?? "")) this.#options.changed();
        },
      });
  }

  #set({ metadata: { name = "", labels = {} } }: Node): void {
    if (JSON.stringify(this.#labels.get(name)) === JSON.stringify(labels)) return;
    this.#labels.set(name, labels);
    this.#options.changed();
  }
}
