import { backendCases } from "../backend.cases.ts";
import { createMemoryBackend } from "./memory-backend.ts";

backendCases("memory", () => ({ backend: createMemoryBackend(), restored: createMemoryBackend }));
