/** Kinds of failed writes that a controller treats in a way of their own. */
import { StatusError } from "../api/status.ts";

/** The namespace is being deleted: no create in it can succeed any more, so trying again is pointless. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof StatusError && (error.status.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") ?? false);
}
