import { expect, test } from "vitest";
import { readManifests } from "../../api/manifest.ts";
import { gatewayKinds } from "../../gateway/control/resources.ts";
import { gatewayApiChannels, gatewayApiDefinitions } from "./gateway-api.ts";

interface Definition {
  readonly kind: string;
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly group: string; readonly names: { readonly kind: string } };
}

test.for(gatewayApiChannels)(
  "the definitions of channel %s are those of every kind that is served, of one release",
  { timeout: 60_000 },
  async (channel) => {
    const { name, text } = gatewayApiDefinitions(channel);
    const { objects, errors } = await readManifests(text, name);
    expect(errors).toEqual([]);
    const definitions = objects.map(({ object }) => object as unknown as Definition);
    expect(definitions.map(({ kind, spec }) => `${kind} ${spec.group}/${spec.names.kind}`).toSorted()).toEqual(
      gatewayKinds.map((kind) => `CustomResourceDefinition gateway.networking.k8s.io/${kind}`).toSorted(),
    );
    const versions = new Set(definitions.map(({ metadata }) => metadata.annotations["gateway.networking.k8s.io/bundle-version"]));
    expect([...versions].map((version) => `Gateway API ${version?.slice(1)} (${channel})`)).toEqual([name]);
    expect(new Set(definitions.map(({ metadata }) => metadata.annotations["gateway.networking.k8s.io/channel"]))).toEqual(
      new Set([channel]),
    );
  },
);
