/** What resources a server has, for controllers that must treat all of them alike. */
import type { Resource } from "../api/resources.ts";
import type { APIGroupList, APIResourceList } from "../api/types.ts";
import type { Client } from "../client/client.ts";

/** Namespaced resources that can be listed and deleted, each in its group's preferred version. */
export async function deletableNamespacedResources(client: Client): Promise<readonly Resource[]> {
  const { groups } = (await client.raw("/apis")) as APIGroupList;
  const preferred = groups.flatMap(({ preferredVersion, versions }) => (preferredVersion ?? versions[0])?.groupVersion ?? []);
  const lists = await Promise.all([client.raw("/api/v1"), ...preferred.map((version) => client.raw(`/apis/${version}`))]);
  return lists.flatMap((list) => resourcesOf(list as APIResourceList));
}

function resourcesOf({ groupVersion, resources }: APIResourceList): readonly Resource[] {
  const [version = "v1", group = ""] = groupVersion.split("/").reverse();
  return resources
    .filter(({ name, namespaced, verbs }) => namespaced && !name.includes("/") && verbs.includes("list") && verbs.includes("delete"))
    .map(({ name, kind }) => ({ group, version, plural: name, kind, namespaced: true }));
}
