/**
 * Content negotiation: which form of an object the client wants (apiserver `pkg/endpoints/handlers/negotiation`,
 * KEP-1152 for tables and partial objects). Pure.
 */
import { notAcceptableError } from "../../api/status.ts";

export interface Representation {
  readonly encoding: "json" | "yaml";
  readonly form: "object" | "table" | "partial";
}

const plain: Representation = { encoding: "json", form: "object" };

/** The first of the client's wishes, by its own order of preference, that this server can fulfil. Throws 406. */
export function representation(accept: string | undefined): Representation {
  if (accept === undefined || accept === "" || accept === "application/json") return plain;
  for (const clause of clauses(accept)) {
    const found = fulfil(clause);
    if (found !== undefined) return found;
  }
  throw notAcceptableError("only the following media types are accepted: application/json, application/yaml");
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

function fulfil({ type, parameters }: Clause): Representation | undefined {
  const encoding = encodingOf(type);
  if (encoding === undefined) return undefined;
  const { as, g, v } = parameters;
  if (as === undefined) return { encoding, form: "object" };
  if (g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) return undefined;
  if (as === "Table") return { encoding, form: "table" };
  return as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? { encoding, form: "partial" } : undefined;
}

function encodingOf(type: string): Representation["encoding"] | undefined {
  if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  return type === "application/yaml" ? "yaml" : undefined;
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
