/** `fairlead ingress lint FILE…`: the processors over manifests, each problem at its line. Nothing is started or asked. */
import type { Ingress, IngressClass, Service } from "../../api/types.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Manifest } from "../../api/manifest.ts";
import { ingressController, processors, standInClasses, type RouteProblem, type RouteReason } from "../../decide/routes/index.ts";
import { readAnnotations, type AnnotationVerdict } from "../../decide/routes/annotations.ts";
import { FairleadError } from "../../lib/errors.ts";
import { problemText, readAll } from "../apply.ts";
import type { Output } from "../options.ts";
import { readSource, sourceFiles } from "../sources.ts";
import type { Terminal } from "../terminal.ts";

export interface LintFinding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: "error" | "warning";
  readonly reason: RouteReason;
  /** `shop/web` */
  readonly ingress: string;
  readonly field: string;
  readonly message: string;
}

/** 0: nothing is an error. Throws FL_MANIFEST for files that cannot be read. */
export async function lint(files: readonly string[], output: Output, terminal: Terminal): Promise<number> {
  const { manifests, problems } = await readAll(sourceFiles(files).map(readSource));
  if (problems.length > 0) throw new FairleadError("FL_MANIFEST", problems.map(problemText).join("\n"));
  const findings = lintManifests(manifests);
  if (output === "json") terminal.print(JSON.stringify(findings, null, 2));
  else for (const finding of findings) terminal.print(findingText(finding, terminal));
  const count = (severity: LintFinding["severity"]) => findings.filter((finding) => finding.severity === severity).length;
  if (output === "text") {
    const total = manifests.filter(({ object }) => object.kind === "Ingress").length;
    terminal.note(
      `${total} Ingress${total === 1 ? "" : "es"}: ${count("error")} errors, ${count("warning")} warnings${verdictsText(manifests)}`,
    );
  }
  return count("error") > 0 ? 1 : 0;
}

/** `; annotations: 3 exact, 1 differs`, of ingress-nginx's. */
function verdictsText(manifests: readonly Manifest[]): string {
  const verdicts = manifests.flatMap(({ object }) =>
    object.kind === "Ingress" ? readAnnotations(object.metadata.annotations, object.metadata).verdicts : [],
  );
  const named = (["exact", "differs", "refused", "unknown"] as const satisfies readonly AnnotationVerdict[]).flatMap((verdict) => {
    const number = verdicts.filter((each) => each.verdict === verdict).length;
    return number === 0 ? [] : [`${number} ${verdict}`];
  });
  return named.length === 0 ? "" : `; annotations: ${named.join(", ")}`;
}

/** What only a running cluster can know, and what files without Services cannot say. */
const notInFiles: ReadonlySet<RouteReason> = new Set(["NoEndpoints"]);
const needsServices: ReadonlySet<RouteReason> = new Set(["ServiceNotFound"]);

export function lintManifests(manifests: readonly Manifest[]): readonly LintFinding[] {
  const named = manifests.map((manifest) => ({ ...manifest, object: withNamespace(manifest.object) }));
  const of = <T extends KubeObject>(kind: string) => named.flatMap(({ object }) => (object.kind === kind ? [object as T] : []));
  const services = of<Service>("Service");
  const { statuses } = processors(
    { ingresses: of<Ingress>("Ingress"), ingressClasses: of<IngressClass>("IngressClass"), services, endpointSlices: [] },
    { controller: ingressController, standInFor: [...standInClasses, "fairlead"], serveClassless: true },
  );
  const all = statuses.flatMap((status) => {
    if (status.verdict.kind === "served") return status.problems;
    const source = { kind: "Ingress", namespace: status.namespace, name: status.name, field: "spec.ingressClassName" } as const;
    return [{ severity: "warning", reason: status.verdict.reason, source, message: status.verdict.message } as const];
  });
  return all
    .filter(({ reason }) => !notInFiles.has(reason) && !(services.length === 0 && needsServices.has(reason)))
    .flatMap((problem) => {
      const manifest = named.find(({ object }) => isFrom(object, problem));
      return manifest === undefined ? [] : [finding(manifest, problem)];
    });
}

function withNamespace(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? "default" } };
}

function isFrom({ kind, metadata }: KubeObject, { source }: RouteProblem): boolean {
  return kind === source.kind && metadata.namespace === source.namespace && metadata.name === source.name;
}

function finding({ source: file, line, positions }: Manifest, { severity, reason, source, message }: RouteProblem): LintFinding {
  const at = positions.find(fieldPath(source.field)) ?? { line, column: 1 };
  return {
    file,
    line: at.line,
    column: at.column,
    severity,
    reason,
    ingress: `${source.namespace}/${source.name}`,
    field: source.field,
    message,
  };
}

/** `spec.rules[0].host` → its steps; a key in brackets that is no number may have dots in it. */
export function fieldPath(field: string): readonly (string | number)[] {
  return [...field.matchAll(/([^.[\]]+)|\[([^\]]+)\]/g)].map(
    ([, word, key]) => word ?? (/^\d+$/.test(key ?? "") ? Number(key) : (key as string)),
  );
}

function findingText({ file, line, column, severity, reason, ingress, field, message }: LintFinding, { paint }: Terminal): string {
  const mark = severity === "error" ? paint.red("error") : paint.yellow("warning");
  return `${file}:${line}:${column}: ${mark} ${reason}: Ingress ${ingress} ${field}: ${message}`;
}
