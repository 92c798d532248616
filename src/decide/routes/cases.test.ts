/** The shared acceptance cases of Ingress: the path and host tables of the documentation, and the conformance suite's rules. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Ingress } from "../../api/types.ts";
import { match } from "./match.ts";
import { httpListener, ingress, path, processed, request } from "./testing.ts";

const file = join(import.meta.dirname, "../../../../shared/cases/ingress-cases.json");
const present = existsSync(file);

interface PathCase {
  readonly pathType: string;
  readonly paths: readonly string[];
  readonly request: string;
  readonly matches: boolean;
  readonly backendFor: string | null;
}

interface ConformanceCase {
  readonly name: string;
  readonly method?: string;
  readonly url?: string;
  readonly status?: number;
  readonly service?: string;
  readonly ingressStatus?: string;
}

interface Cases {
  readonly ingressPathTable: readonly PathCase[];
  readonly ingressHostTable: readonly { readonly rule: string; readonly host: string; readonly matches: boolean }[];
  readonly ingressConformance: readonly {
    readonly feature: string;
    readonly objects: readonly Ingress[];
    readonly cases: readonly ConformanceCase[];
  }[];
}

const none: Cases = { ingressPathTable: [], ingressHostTable: [], ingressConformance: [] };
const cases: Cases = present ? (JSON.parse(readFileSync(file, "utf8")) as Cases) : none;

test("the shared cases are there", (ctx) => {
  if (!present) ctx.skip(`needs the shared case file ${file}`);
  expect(cases.ingressPathTable.length).toBeGreaterThanOrEqual(20);
});

/** `/foo (Exact)` → the path and its type. */
function typed(text: string, pathType: string): { readonly value: string; readonly type: string } {
  const [, value = text, type = pathType] = /^(\S+) \((\w+)\)$/.exec(text) ?? [];
  return { value, type };
}

/** A group without a test would count as broken. */
const group = present ? describe : undefined;

group?.("path table", () => {
  for (const { pathType, paths, request: url, matches, backendFor } of cases.ingressPathTable) {
    const urls = url === "(any path)" ? ["/", "/foo", "/foo/bar/", "//", "/%2F"] : [url];
    test.for(urls)(`${pathType} ${paths.join(", ")} against %s`, (each) => {
      const rules = paths.map((text, index) => path(typed(text, pathType).value, typed(text, pathType).type, `s${index}`));
      const listener = httpListener(processed({ ingresses: [ingress("a", { rules: [{ http: { paths: rules } }] })] }));
      const result = match(listener, request(`http://any.test${each}`));
      expect(result.kind === "route").toBe(matches);
      const wanted = backendFor === null ? paths[0] : backendFor;
      if (result.kind === "route") expect(paths[Number(result.route.backends[0]?.name.slice(1))]).toBe(wanted);
    });
  }
});

group?.("host table", () => {
  test.for(cases.ingressHostTable)("$rule against $host", ({ rule, host, matches }) => {
    const rules = [{ host: rule, http: { paths: [path("/", "Prefix")] } }];
    const listener = httpListener(processed({ ingresses: [ingress("a", { rules })] }));
    expect(match(listener, request(`http://${host}/`)).kind === "route").toBe(matches);
  });
});

group?.("Ingress conformance", () => {
  for (const { feature, objects, cases: checks } of cases.ingressConformance) {
    const result = processed({ ingresses: objects.map((each) => ({ ...each, metadata: { namespace: "default", ...each.metadata } })) });
    test.for(checks)(`${feature}: $name`, ({ url, method, status, service, ingressStatus }) => {
      if (url !== undefined) {
        const found = match(httpListener(result), request(url, method));
        expect(found.kind === "route" ? 200 : 404).toBe(status);
        if (service !== undefined) expect(found).toMatchObject({ route: { backends: [{ name: service }] } });
      }
      if (ingressStatus === "must stay empty") expect(result.statuses.map(({ verdict }) => verdict.kind)).toEqual(["not-ours"]);
    });
  }
});
