/** Writes ControllerRevisions as `revision-history.ts` planned them. */
import { controllerRevisions } from "../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../api/status.ts";
import type { ControllerRevision } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import { semanticEqual } from "../decide/endpoints/equal.ts";
import { controllerOf } from "./claim.ts";
import type { OwnWrites } from "./own-writes.ts";
import type { RevisionPlan } from "./revision-history.ts";

export interface RevisionWriter {
  readonly client: Client;
  readonly ownRevisions: OwnWrites<ControllerRevision>;
}

/** `collision`: the name belongs to another template; the owner counts it and tries again with another hash. */
export type RevisionOutcome = { readonly kind: "ok"; readonly revision: ControllerRevision } | { readonly kind: "collision" };

export async function writeRevision(writer: RevisionWriter, plan: RevisionPlan): Promise<RevisionOutcome> {
  const { client, ownRevisions } = writer;
  switch (plan.kind) {
    case "keep":
      return { kind: "ok", revision: plan.revision };
    case "renumber": {
      const revision = await client.update(controllerRevisions, { ...plan.revision, revision: plan.number });
      ownRevisions.wrote(revision);
      return { kind: "ok", revision };
    }
    case "create":
      return createRevision(writer, plan.revision);
    default:
      return plan satisfies never;
  }
}

async function createRevision({ client, ownRevisions }: RevisionWriter, revision: ControllerRevision): Promise<RevisionOutcome> {
  try {
    const created = await client.create(controllerRevisions, revision);
    ownRevisions.wrote(created);
    return { kind: "ok", revision: created };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { namespace, name = "" } = revision.metadata;
    const existing = await client.get(controllerRevisions, { namespace, name });
    const ours = controllerOf(existing)?.uid === controllerOf(revision)?.uid && semanticEqual(existing.data, revision.data);
    if (ours) ownRevisions.wrote(existing);
    return ours ? { kind: "ok", revision: existing } : { kind: "collision" };
  }
}

export async function deleteRevision({ client, ownRevisions }: RevisionWriter, revision: ControllerRevision): Promise<void> {
  const { namespace, name = "" } = revision.metadata;
  try {
    await client.delete(controllerRevisions, { namespace, name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  ownRevisions.deleted(revision);
}
