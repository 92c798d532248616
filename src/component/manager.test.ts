import { expect, test } from "vitest";
import { isReady, type Component } from "./component.ts";
import { Manager } from "./manager.ts";

function part(name: string, seen: string[], fails = false): Component {
  return {
    name,
    async start() {
      seen.push(`start ${name}`);
      if (fails) throw new Error(`${name} cannot start`);
    },
    async stop() {
      seen.push(`stop ${name}`);
    },
    ready: () => isReady,
  };
}

test("components start in order and stop in reverse", async () => {
  const seen: string[] = [];
  const manager = new Manager();
  await manager.start(part("a", seen));
  await manager.start(part("b", seen));
  expect([...manager.readiness().keys()]).toEqual(["a", "b"]);
  await manager.stop();
  await manager.stop();
  expect(seen).toEqual(["start a", "start b", "stop b", "stop a"]);
});

test("a failed start brings down what had started", async () => {
  const seen: string[] = [];
  const manager = new Manager();
  await manager.start(part("a", seen));
  await expect(manager.start(part("b", seen, true))).rejects.toThrow("b cannot start");
  expect(seen).toEqual(["start a", "start b", "stop a"]);
});

test("two components of one name are a fault", async () => {
  const manager = new Manager();
  await manager.start(part("a", []));
  await expect(manager.start(part("a", []))).rejects.toThrow("two components");
});
