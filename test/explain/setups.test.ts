/**
 * Broken set-ups, each a directory: `objects.yaml` is what the cluster has, `ask.yaml` what somebody asks and what `explain` must say first:
 * the cause, the first thing to change, and what becomes of the request when that is done.
 */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { readManifests } from "../../src/api/manifest.ts";
import { assume } from "../../src/decide/explain/assume.ts";
import { edited } from "../../src/decide/explain/edit.ts";
import { explain, type Question } from "../../src/decide/explain/explain.ts";
import type { ObjectRef } from "../../src/decide/explain/snapshot.ts";
import type { KubeObject } from "../../src/api/object.ts";

interface SetUp extends Question {
  readonly says: string;
  /** Kubernetes' "Debug Services" walks through it. */
  readonly page?: boolean;
  readonly expect: { readonly code: string; readonly change?: string; readonly result?: string; readonly warning?: string };
}

const root = join(import.meta.dirname, "setups");
const setups = globSync("*/ask.yaml", { cwd: root })
  .toSorted()
  .map((path) => ({ name: basename(dirname(path)), ...(parse(readFileSync(join(root, path), "utf8")) as SetUp) }));

async function objectsOf(name: string): Promise<readonly KubeObject[]> {
  const { objects, errors } = await readManifests(readFileSync(join(root, name, "objects.yaml"), "utf8"), name);
  expect(errors).toEqual([]);
  return objects.map(({ object }) => object);
}

function explainObjects(objects: readonly KubeObject[], { target, from, namespace }: SetUp) {
  const question = { target, ...(from === undefined ? {} : { from }), ...(namespace === undefined ? {} : { namespace }) };
  return explain(assume(objects, { proxyMode: "nftables" }), question);
}

function isOf({ kind, metadata }: KubeObject, ref: ObjectRef): boolean {
  return (
    kind === ref.kind && metadata.name === ref.name && (ref.namespace === undefined || (metadata.namespace ?? "default") === ref.namespace)
  );
}

describe("broken set-ups", () => {
  test.each(setups.map((setup) => [setup.name, setup] as const))("%s", async (_, setup) => {
    const explanation = explainObjects(await objectsOf(setup.name), setup);
    const [change] = explanation.changes;
    const { code, warnings, ok } = explanation;
    expect({
      code,
      ...(change === undefined ? {} : { change: change.text }),
      ...(change?.result === undefined ? {} : { result: change.result }),
      ...(warnings[0] === undefined ? {} : { warning: warnings[0].code }),
    }).toEqual(setup.expect);
    // A person needs a step to look at and a thing to do, or the news that it works.
    expect(explanation.path.some((step) => !step.ok)).toBe(!ok);
    if (!ok) expect(explanation.changes.length).toBeGreaterThan(0);
  });

  test("there are thirty and more, as many kinds of causes, and the page's among them", () => {
    expect(setups.length).toBeGreaterThanOrEqual(30);
    expect(new Set(setups.map(({ expect: { code } }) => code)).size).toBeGreaterThanOrEqual(30);
    expect(setups.filter(({ page }) => page === true).length).toBeGreaterThanOrEqual(14);
  });

  test("an edit that was tried does the same in the objects themselves", async () => {
    let edits = 0;
    for (const setup of setups) {
      const objects = await objectsOf(setup.name);
      for (const { edit, result } of explainObjects(objects, setup).changes) {
        if (edit === undefined || result === undefined) continue;
        edits += 1;
        const mended = objects.map((object) => (isOf(object, edit.ref) ? edited(object, edit.field, edit.to) : object));
        expect(explainObjects(mended, setup).code, `${setup.name}: ${edit.field}`).toBe(result);
      }
    }
    expect(edits).toBeGreaterThanOrEqual(15);
  });
});
