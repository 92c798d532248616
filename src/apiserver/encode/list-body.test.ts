import { expect, test } from "vitest";
import { parse } from "yaml";
import { bytesOf, TestServer } from "../testing.ts";

const url = "/api/v1/namespaces/default/services";
const table = "application/json;as=Table;v=v1;g=meta.k8s.io";

async function filled(count: number): Promise<TestServer> {
  const api = new TestServer();
  await api.server.start();
  for (let i = 0; i < count; i++)
    await api.post(url, {
      kind: "Service",
      apiVersion: "v1",
      metadata: { name: `s-${i}` },
      spec: { ports: [{ port: 80 }], clusterIP: "None" },
    });
  return api;
}

test.each([0, 1, 700])("a list of %i is the same in JSON and YAML, as bytes and as object", async (count) => {
  const api = await filled(count);
  const response = await api.raw("GET", `${url}?labelSelector=component!%3Dapiserver`);
  const { body } = response;
  const list = body.kind === "object" ? body.object : undefined;
  expect((list as { items: unknown[] }).items).toHaveLength(count);
  expect(JSON.parse((await bytesOf(body)).toString())).toEqual(list);
  const yaml = await api.get(`${url}?labelSelector=component!%3Dapiserver`, { headers: { accept: "application/yaml" } });
  expect([yaml.headers["content-type"], parse(yaml.body)]).toEqual(["application/yaml", list]);
  await api.server.stop();
});

test("rows and partial objects, too", async () => {
  const api = await filled(3);
  for (const [accept, member] of [
    [table, "rows"],
    ["application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "items"],
  ] as const) {
    const { body } = await api.raw("GET", url, { headers: { accept } });
    const whole = (body.kind === "object" ? body.object : {}) as Record<string, unknown[]>;
    expect(JSON.parse((await bytesOf(body)).toString())).toEqual(JSON.parse(JSON.stringify(whole)));
    expect(whole[member]).toHaveLength(4);
    const yaml = await api.get(url, { headers: { accept: accept.replace("json", "yaml") } });
    expect(parse(yaml.body)).toEqual(JSON.parse(JSON.stringify(whole)));
  }
  await api.server.stop();
});

test("others get their turn while a long table is made", async () => {
  const api = await filled(2000);
  const { body } = await api.raw("GET", url, { headers: { accept: table } });
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await bytesOf(body);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
  await api.server.stop();
});
