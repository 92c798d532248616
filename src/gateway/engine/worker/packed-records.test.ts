import { expect, test } from "vitest";
import type { RequestRecord } from "../requests.ts";
import { RecordPacker, RecordUnpacker } from "./packed-records.ts";

const route = (id: string) =>
  ({ id, source: { kind: "Ingress", namespace: "n", name: id } }) as unknown as NonNullable<RequestRecord["route"]>;
const record = (more: Partial<RequestRecord>): RequestRecord => ({
  request: {} as NonNullable<RequestRecord["request"]>,
  route: undefined,
  status: 200,
  reason: undefined,
  endpoint: undefined,
  milliseconds: 1.5,
  user: undefined,
  ...more,
});

test("records arrive as they were, over many messages, and each route crosses once", () => {
  const [packer, unpacker] = [new RecordPacker(100), new RecordUnpacker()];
  const [one, two] = [route("one"), route("two")];
  const messages = [
    [record({ route: one, endpoint: "10.0.0.1 80" }), record({ status: 404, reason: "NoRoute" })],
    [record({ route: one, endpoint: "10.0.0.1 80" }), record({ route: two, status: 502, reason: "EndpointsFailed" })],
    [record({ request: undefined, status: 400, reason: "BadRequest", milliseconds: 0 })],
  ];
  const crossedRoutes: number[] = [];
  for (const records of messages) {
    for (const each of records) packer.add(each);
    const packed = structuredClone(packer.take());
    if (packed.kind === "counted") crossedRoutes.push(packed.routes.length);
    const got: RequestRecord[] = [];
    unpacker.each(packed, (each) => got.push(each));
    expect(got).toEqual(records);
  }
  expect(crossedRoutes).toEqual([1, 1, 0]);
});

test("routes that come and go are forgotten: the numbering begins anew", () => {
  const [packer, unpacker] = [new RecordPacker(6000), new RecordUnpacker()];
  let anew = 0;
  for (let round = 0; round < 5; round++) {
    const records = Array.from({ length: 6000 }, (_, index) => record({ route: route(`${round} ${index}`) }));
    for (const each of records) packer.add(each);
    expect(packer.full).toBe(true);
    const packed = packer.take();
    if (packed.kind === "counted" && packed.anew) anew += 1;
    const got: (string | undefined)[] = [];
    unpacker.each(packed, (each) => got.push(each.route?.id));
    expect(got).toEqual(records.map((each) => each.route?.id));
  }
  // The first, and every second one after it.
  expect(anew).toBe(3);
});
