import { expect, test } from "vitest";
import { newFaults } from "./faults.ts";

const condition = (type: string, status: string, reason: string) => ({ type, status, reason, message: `${reason}.` });
const route = (...conditions: readonly object[]) => ({ parents: [{ parentRef: { name: "edge" }, conditions }] });

test("each fault once, when it is new", () => {
  const lost = condition("ResolvedRefs", "False", "BackendNotFound");
  const fine = condition("Accepted", "True", "Accepted");
  expect(newFaults(undefined, route(fine, lost))).toEqual([{ reason: "BackendNotFound", message: "BackendNotFound." }]);
  expect(newFaults(route(fine, lost), route(fine, lost))).toEqual([]);
  expect(newFaults(route(lost), route(condition("ResolvedRefs", "False", "RefNotPermitted")))).toEqual([
    { reason: "RefNotPermitted", message: "RefNotPermitted." },
  ]);
  expect(newFaults(route(lost), route(fine))).toEqual([]);
});

test("of listeners too; conflicts are the other way round; waiting is none", () => {
  const listeners = [
    { name: "a", conditions: [condition("Conflicted", "True", "HostnameConflict"), condition("Programmed", "False", "Pending")] },
    { name: "b", conditions: [condition("Conflicted", "False", "NoConflicts"), condition("Accepted", "False", "PortUnavailable")] },
    { name: "c", conditions: [condition("Accepted", "False", "PortUnavailable")] },
  ];
  expect(
    newFaults({ conditions: [] }, { conditions: [condition("Accepted", "True", "Accepted")], listeners }).map(({ reason }) => reason),
  ).toEqual(["HostnameConflict", "PortUnavailable"]);
});
