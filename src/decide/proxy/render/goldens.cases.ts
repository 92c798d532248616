/** The goldens' inputs, planned, for the tests of every renderer. UPDATE_GOLDENS=1 writes what a renderer makes of them anew. */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { planServices } from "../services.ts";
import type { ServicePlan } from "../plan.ts";
import { node } from "./arbitrary.cases.ts";

const directory = join(import.meta.dirname, "goldens");

/** Names, without `.yaml`. */
export const goldenInputs: readonly string[] = globSync("*.yaml", { cwd: directory })
  .map((file) => file.replace(/\.yaml$/, ""))
  .sort();

export function goldenServices(name: string): readonly ServicePlan[] {
  const text = readFileSync(join(directory, `${name}.yaml`), "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind: string });
  const of = <T>(kind: string) => objects.filter((object) => object.kind === kind) as unknown as T[];
  return planServices(of<Service>("Service"), of<EndpointSlice>("EndpointSlice"), node).services;
}

/** The golden's text, after it was written anew where that is asked for. */
export function golden(file: string, made: string): string {
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, made);
  return readFileSync(file, "utf8");
}
