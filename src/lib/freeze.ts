/** Freezes plain data all the way down and returns it. Already frozen parts are taken as frozen throughout. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) for (const child of value as unknown[]) freezeChild(child);
  // No array of the values: what is decided for thousands of Services goes through here.
  else for (const key in value) freezeChild(value[key]);
  return Object.freeze(value);
}

function freezeChild(child: unknown): void {
  if (typeof child === "object" && child !== null) deepFreeze(child);
}
