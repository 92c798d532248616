/** Which rows a person wants to see. Pure. */

export interface RowFilter {
  /** Words; all must be found. */
  readonly text: string;
  /** Empty: all. */
  readonly namespace: string;
  /** Whether the system's own are shown. */
  readonly system: boolean;
}

interface Row {
  readonly namespace: string;
  readonly name: string;
  /** In lower case. */
  readonly words: string;
}

const systemNamespaces: ReadonlySet<string> = new Set(["kube-system", "kube-public", "kube-node-lease"]);

/** Who names a system namespace, or searches, wants to see what is in it. */
export function filterRows<T extends Row>(rows: readonly T[], { text, namespace, system }: RowFilter): readonly T[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = system || words.length > 0;
  return rows.filter(
    (row) => (namespace === "" ? all || !isSystem(row) : row.namespace === namespace) && words.every((word) => row.words.includes(word)),
  );
}

function isSystem({ namespace, name }: Row): boolean {
  return systemNamespaces.has(namespace) || (namespace === "default" && name === "kubernetes");
}

/** In order, each once. */
export function namespacesOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.map(({ namespace }) => namespace))].sort();
}
