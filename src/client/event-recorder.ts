/** Tells people, by Event objects, what happened to an object. Repeats are counted in one Event, as client-go does. */
import type { KubeObject } from "../api/object.ts";

export interface EventRecorder {
  /** Never throws, never waits. `reason` is CamelCase and stable; `message` is for people. */
  event(object: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void;
}
