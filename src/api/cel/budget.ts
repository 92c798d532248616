/**
 * An end to the cost of expressions: lists within lists within lists have none by themselves (apiserver `pkg/cel/limits.go`). Each look into a
 * list, and each key of a map that is walked, is counted.
 */

export interface Budget {
  left: number;
}

/** A few milliseconds of looking. */
export const newBudget = (): Budget => ({ left: 50_000 });

/** Shows the list or map as it is, and counts. Reading what is used up throws an Error. */
export function counted<T extends object>(value: T, budget: Budget): T {
  return new Proxy(value, Array.isArray(value) ? listTraps(budget) : mapTraps(budget)) as T;
}

function spend(budget: Budget, cost: number): void {
  budget.left -= cost;
  if (budget.left < 0) throw new Error("operation cancelled: actual cost limit exceeded");
}

const listTraps = (budget: Budget): ProxyHandler<object> => ({
  get(target, key) {
    spend(budget, 1);
    return Reflect.get(target, key) as unknown;
  },
});

const mapTraps = (budget: Budget): ProxyHandler<object> => ({
  ownKeys(target) {
    const keys = Reflect.ownKeys(target);
    spend(budget, keys.length);
    return keys;
  },
});
