/** What kubectl makes itself before it sends it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Session } from "./session.ts";

export async function kustomizations(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const directory = mkdtempSync(join(tmpdir(), "fairlead-kustomization-"));
  try {
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    };
    writeFileSync(join(directory, "service.yaml"), JSON.stringify(service));
    const generator = [{ name: "settings", literals: ["colour=blue"] }];
    writeFileSync(
      join(directory, "kustomization.yaml"),
      JSON.stringify({ namespace: ns, namePrefix: "k-", resources: ["service.yaml"], configMapGenerator: generator }),
    );
    expect(await k.ok(["apply", "-k", directory])).toMatch(/configmap\/k-settings-\w+ created\nservice\/k-web created\n/);
    expect(await k.ok(["apply", "-k", directory])).toMatch(/configmap\/k-settings-\w+ unchanged\nservice\/k-web unchanged\n/);
    expect(await k.ok(["diff", "-k", directory])).toBe("");
    expect(await k.ok(["delete", "-k", directory])).toMatch(/k-web" deleted/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
