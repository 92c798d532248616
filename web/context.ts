/** The one model of this page, for every part of it. */
import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Model } from "./data/model.ts";

export const ModelContext = createContext<Model | undefined>(undefined);

/** The model; whoever uses it is drawn again when it changes. */
export function useModel(): Model {
  const model = useContext(ModelContext) as Model;
  const [, setGeneration] = useState(model.generation);
  useEffect(() => model.subscribe(() => setGeneration(model.generation)), [model]);
  return model;
}
