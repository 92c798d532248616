/**
 * What ingress-nginx's annotations (its `docs/user-guide/nginx-configuration/annotations.md`) mean here. Each one on an Ingress
 * gets one of four verdicts; none is passed over in silence. Where ignoring one would let requests through that its author meant to
 * keep out, nothing of the Ingress is served: an error is safer than an open door.
 */
import type { AnnotationDraft, CanaryRule } from "./annotation-draft.ts";
import { annotationReaders, refusedNames } from "./annotation-readers.ts";
import type { RouteProblem } from "./reasons.ts";
import type { BackendRef, Filter, RetryPolicy, RouteTimeouts, SessionPersistence } from "./route-table.ts";

export { toHttps } from "./annotation-draft.ts";

export const nginxPrefix = "nginx.ingress.kubernetes.io/";

/**
 * `exact`: as in ingress-nginx; `differs`: it works, with a difference that the message names; `refused`: not done, by name;
 * `unknown`: no annotation of ingress-nginx that is known here.
 */
export type AnnotationVerdict = "exact" | "differs" | "refused" | "unknown";

export interface JudgedAnnotation {
  /** With the prefix. */
  readonly key: string;
  readonly verdict: AnnotationVerdict;
  /** "" where there is nothing to say. */
  readonly message: string;
  /** It was to keep requests out, and is not done. */
  readonly guard: boolean;
}

export interface AnnotationEffects {
  readonly filters: readonly Filter[];
  /** Plain requests to hosts for which the Ingress has a certificate are led to HTTPS. */
  readonly redirectHostsWithTls: boolean;
  readonly timeouts: RouteTimeouts;
  readonly retry?: RetryPolicy;
  readonly persistence?: SessionPersistence;
  readonly canary?: CanaryRule;
  /** Paths of the Ingress are patterns, and with them all of their hosts. */
  readonly patterns: boolean;
  /** Hosts that have the rules of each host too. */
  readonly aliases: readonly string[];
  /** Where `/` leads. */
  readonly appRoot?: string;
  /** `www.` and without: the one that has no rules leads to the one that has. */
  readonly fromToWww: boolean;
  readonly backend: Pick<BackendRef, "speaks" | "tls" | "balance">;
  /** Its routes answer with an error. */
  readonly closed: boolean;
  readonly verdicts: readonly JudgedAnnotation[];
  readonly problems: readonly AnnotationProblem[];
}

export interface AnnotationProblem extends Pick<RouteProblem, "severity" | "message"> {
  readonly key: string;
  /** It was to keep requests out. */
  readonly guard: boolean;
}

/** `namespace`, `name`: of the object that has them. */
export function readAnnotations(
  annotations: Readonly<Record<string, string>> = {},
  { namespace = "", name = "" }: { readonly namespace?: string | undefined; readonly name?: string | undefined } = {},
): AnnotationEffects {
  const own = Object.entries(annotations).filter(([key]) => key.startsWith(nginxPrefix));
  const all = new Map(own.map(([key, value]) => [key.slice(nginxPrefix.length), value]));
  const draft: AnnotationDraft = {
    all,
    namespace,
    name,
    filters: [],
    redirectHostsWithTls: false,
    timeouts: {},
    retry: undefined,
    persistence: undefined,
    canary: undefined,
    patterns: false,
    aliases: [],
    appRoot: undefined,
    fromToWww: false,
    backend: {},
  };
  const verdicts = [...all].map(([key, value]): JudgedAnnotation => ({ key: nginxPrefix + key, ...judge(key, value, draft) }));
  const { retry, persistence, canary, appRoot, namespace: _, name: __, all: ___, ...rest } = draft;
  return {
    ...rest,
    filters: inOrder(draft.filters),
    ...(retry === undefined ? {} : { retry }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(canary === undefined ? {} : { canary }),
    ...(appRoot === undefined ? {} : { appRoot }),
    closed: verdicts.some(({ guard }) => guard),
    verdicts,
    problems: verdicts.flatMap(problemOf),
  };
}

/** As nginx's phases: redirects and preflights before anybody is asked who they are, and nobody is asked who may not come anyway. */
const ranks: Readonly<Partial<Record<Filter["kind"], number>>> = { source: 0, "basic-auth": 2, "external-auth": 3 };

export function inOrder(filters: readonly Filter[]): readonly Filter[] {
  return filters.toSorted((a, b) => (ranks[a.kind] ?? 1) - (ranks[b.kind] ?? 1));
}

function judge(name: string, value: string, draft: AnnotationDraft): Omit<JudgedAnnotation, "key"> {
  const refused = Object.hasOwn(refusedNames, name) ? refusedNames[name] : undefined;
  if (refused !== undefined) return { verdict: "refused", message: refused.message, guard: refused.guard };
  const reader = Object.hasOwn(annotationReaders, name) ? annotationReaders[name] : undefined;
  if (reader === undefined) return { verdict: "unknown", message: "no annotation that is known here: without effect", guard: false };
  const result = reader(value, draft);
  if (result === undefined) return { verdict: "exact", message: "", guard: false };
  if ("differs" in result) return { verdict: "differs", message: result.differs, guard: false };
  return { verdict: "refused", message: `${JSON.stringify(value)}: ${result.refused}`, guard: result.guard === true };
}

function problemOf({ key, verdict, message, guard }: JudgedAnnotation): readonly AnnotationProblem[] {
  if (verdict === "exact") return [];
  return [{ key, guard, message, severity: verdict === "refused" ? "error" : "warning" }];
}
