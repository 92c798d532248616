/**
 * An audit as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change: with the line of the field where the objects came
 * from files, else with the object's name as a logical location.
 */
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { locate, type Manifest } from "../../api/manifest.ts";
import { ruleMeaning, type Finding } from "../../decide/explain/audit/audit.ts";
import { refText } from "../../decide/explain/snapshot.ts";
import { version } from "../version.ts";

export function sarif(findings: readonly Finding[], manifests: readonly Manifest[]): object {
  const rules = [...new Set(findings.map(({ rule }) => rule))].toSorted();
  const places = new Map(manifests.map((manifest) => [keyOf(manifest), manifest]));
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "fairlead explain",
            version,
            rules: rules.map((id) => ({ id, shortDescription: { text: ruleMeaning(id) } })),
          },
        },
        results: findings.map((finding) => resultOf(finding, rules.indexOf(finding.rule), places.get(keyOfRef(finding)))),
      },
    ],
  };
}

function keyOf({ object }: Manifest): string {
  const { namespace = "default", name = "" } = object.metadata;
  return `${object.kind} ${namespace}/${name}`;
}

const keyOfRef = ({ ref }: Finding): string => `${ref.kind} ${ref.namespace ?? "default"}/${ref.name}`;

/** Relative paths stay so: a code host knows its own root. */
function uriOf(path: string): string {
  return isAbsolute(path) ? pathToFileURL(path).href : path.replaceAll("\\", "/");
}

function resultOf({ rule, level, ref, field, text, changes }: Finding, ruleIndex: number, manifest: Manifest | undefined): object {
  const at = manifest === undefined ? undefined : (locate(manifest, field) ?? { line: manifest.line, column: 1 });
  const physical =
    manifest === undefined || at === undefined
      ? {}
      : { physicalLocation: { artifactLocation: { uri: uriOf(manifest.source) }, region: { startLine: at.line, startColumn: at.column } } };
  const logicalLocations = [{ fullyQualifiedName: refText(ref), kind: "resource" }];
  return {
    ruleId: rule,
    ruleIndex,
    level,
    message: { text: `${refText(ref)}: ${[text, ...changes].join(". ")}` },
    locations: [{ ...physical, logicalLocations }],
  };
}
