/**
 * The life of a part of the program. The manager starts components in the order given and stops them in reverse;
 * whoever constructs a component owns it. Nothing listens or spawns before `start`.
 */
export interface Component {
  /** Unique in one manager: the log prefix and the metrics subsystem. */
  readonly name: string;
  /** Begins the work. Resolves when it is under way, rejects when it cannot be; a rejected start needs no stop. */
  start(): Promise<void>;
  /** Ends the work and gives back every resource. Idempotent; resolves when nothing is left. */
  stop(): Promise<void>;
  /** Whether it serves what it is for, and if not, why. Cheap: called by health checks. */
  ready(): Readiness;
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export const isReady: Readiness = { ready: true };
