import { expect, test } from "vitest";
import type { Pod, Service } from "../../api/types.ts";
import { OnceEach, selectorProblem } from "./reconcile.ts";

const service = (selector: Record<string, string> | undefined): Service => ({
  metadata: { namespace: "shop", name: "web" },
  spec: { ports: [{ port: 80 }], selector },
});
const pod = (labels: Record<string, string>, namespace = "shop"): Pod => ({
  metadata: { namespace, name: "p", labels },
  spec: { containers: [] },
});

test("a selector that finds nothing is told, with what nearly matches", () => {
  expect(selectorProblem(service({ app: "web" }), [pod({ app: "webapp" })])).toMatch(
    /^no pod in namespace shop matches app=web\. .*webapp/,
  );
  expect(selectorProblem(service({ app: "web" }), [pod({ app: "web" }, "other")])).toContain("namespace other");
});

test("nothing is told where pods match, or none are wanted", () => {
  expect(selectorProblem(service({ app: "web" }), [pod({ app: "web" })])).toBeUndefined();
  expect(selectorProblem(service(undefined), [])).toBeUndefined();
});

test("it is said once, and again when it had been otherwise", () => {
  const told = new OnceEach();
  expect(told.isNews("shop/web", "a")).toBe(true);
  expect(told.isNews("shop/web", "a")).toBe(false);
  expect(told.isNews("shop/web", "b")).toBe(true);
  expect(told.keysOf("shop")).toEqual(["shop/web"]);
  expect(told.keysOf("sho")).toEqual([]);
  expect(told.isNews("shop/web", undefined)).toBe(false);
  expect(told.isNews("shop/web", "b")).toBe(true);
});
