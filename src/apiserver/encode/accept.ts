/**
 * Content negotiation: which form of an object the client wants (apiserver `pkg/endpoints/handlers/negotiation`,
 * KEP-1152 for tables and partial objects). Pure.
 */
import { notAcceptableError } from "../../api/status.ts";

export interface Representation {
  readonly encoding: "json" | "yaml" | "protobuf";
  readonly form: "object" | "table" | "partial";
}

const plain: Representation = { encoding: "json", form: "object" };

export interface Offer {
  /** Whether what is asked for has a form in protocol buffers. Default: it has. */
  readonly protobuf?: boolean;
}

/**
 * The first of the client's wishes, by its own order of preference, that this server can fulfil. Of two that it likes as well, JSON goes before
 * protocol buffers: its bytes are at hand. Throws 406.
 */
export function representation(accept: string | undefined, { protobuf = true }: Offer = {}): Representation {
  if (accept === undefined || accept === "" || accept === "application/json") return plain;
  let spare: { readonly found: Representation; readonly quality: number } | undefined;
  for (const clause of clauses(accept)) {
    if (spare !== undefined && clause.quality < spare.quality) break;
    const found = fulfil(clause, protobuf);
    if (found === undefined) continue;
    if (found.encoding !== "protobuf") return found;
    spare ??= { found, quality: clause.quality };
  }
  if (spare !== undefined) return spare.found;
  throw notAcceptableError(
    `only the following media types are accepted: application/json, application/yaml${protobuf ? ", application/vnd.kubernetes.protobuf" : ""}`,
  );
}

interface Clause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

function clauses(accept: string): Clause[] {
  const parsed = accept.split(",").map((part) => {
    const [type = "", ...rest] = part.split(";").map((piece) => piece.trim());
    const parameters = Object.fromEntries(rest.map((piece) => piece.split("=", 2).map((side) => side.trim()) as [string, string]));
    const quality = Number(parameters["q"] ?? 1);
    return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
  });
  return parsed.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
}

function fulfil({ type, parameters }: Clause, protobuf: boolean): Representation | undefined {
  const encoding = encodingOf(type);
  if (encoding === undefined || (encoding === "protobuf" && !protobuf)) return undefined;
  const { as, g, v } = parameters;
  if (as === undefined) return { encoding, form: "object" };
  if (g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) return undefined;
  // Cells are free-form JSON, which protocol buffers have no form for.
  if (as === "Table") return encoding === "protobuf" ? undefined : { encoding, form: "table" };
  return as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? { encoding, form: "partial" } : undefined;
}

function encodingOf(type: string): Representation["encoding"] | undefined {
  if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  if (type === "application/yaml") return "yaml";
  return type === "application/vnd.kubernetes.protobuf" ? "protobuf" : undefined;
}

export type DiscoveryVersion = "v2" | "v2beta1";

/** The version in which the client wants aggregated discovery (KEP-3352); undefined: it wants the old documents. kubectl before 1.30 knows v2beta1 alone. */
export function aggregatedDiscoveryVersion(accept: string | undefined): DiscoveryVersion | undefined {
  if (accept === undefined || !accept.includes("apidiscovery.k8s.io")) return undefined;
  const wished = clauses(accept).find(({ type }) => encodingOf(type) === "json");
  const { g, v, as } = wished?.parameters ?? {};
  if (g !== "apidiscovery.k8s.io" || as !== "APIGroupDiscoveryList") return undefined;
  return v === "v2" || v === "v2beta1" ? v : undefined;
}
