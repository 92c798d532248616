import { expect, test } from "vitest";
import { filterRows } from "./filter.ts";
import { rangeInSight } from "./range-in-sight.ts";

test.for([
  ["at the top", 0, 400, 10_000, { first: 0, end: 18 }],
  ["in the middle", 4000, 400, 10_000, { first: 92, end: 118 }],
  ["at the end", 399_600, 400, 10_000, { first: 9982, end: 10_000 }],
  ["a short list", 0, 400, 3, { first: 0, end: 3 }],
  ["scrolled beyond a list that has become short", 5000, 400, 3, { first: 3, end: 3 }],
] as const)("rows drawn %s", ([, top, height, count, range]) => {
  expect(rangeInSight(top, height, count)).toEqual(range);
});

const row = (namespace: string, name: string) => ({ namespace, name, words: `${namespace}/${name}` });
const rows = [row("shop", "web"), row("shop", "api"), row("kube-system", "kube-dns"), row("default", "kubernetes"), row("default", "mine")];
const names = (filter: Partial<Parameters<typeof filterRows>[1]>) =>
  filterRows(rows, { text: "", namespace: "", system: false, ...filter }).map(({ name }) => name);

test("what is the system's own hides until somebody asks for it", () => {
  expect(names({})).toEqual(["web", "api", "mine"]);
  expect(names({ system: true })).toHaveLength(5);
  expect(names({ namespace: "kube-system" })).toEqual(["kube-dns"]);
  expect(names({ text: "KUBE" })).toEqual(["kube-dns", "kubernetes"]);
  expect(names({ text: "shop  w" })).toEqual(["web"]);
  expect(names({ text: "shop", namespace: "default" })).toEqual([]);
});
